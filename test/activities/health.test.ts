import type { Dependencies } from '../../src/activities/dependencies';
import { checkProviders } from '../../src/activities/health';
import { ProviderError, type Call, type Provider } from '../../src/providers/provider';
import { listHealthChecks } from '../../src/stores/health-checks';
import { accept } from '../stores/ledger';
import { mediaModel, openActivityBench, type ActivityBench } from '../support/activity-bench';

let bench: ActivityBench;
let asked: string[];
let doors: Record<string, () => Promise<{ model: string | null }>>;

const provider = (id: string): Provider => ({
  id,
  models: [],
  submit: () => Promise.reject(new Error('a check submits nothing')),
  probe: ({ credential }: Call) => {
    asked.push(`${id} ${credential.alias}`);
    return (doors[id] ?? (() => Promise.resolve({ model: null })))();
  },
});

const refusal = (code: ProviderError['code']): ProviderError =>
  new ProviderError(code, `told ${code}`, { accepted: 'unknown', scope: 'provider' });

beforeEach(async () => {
  asked = [];
  doors = {};
  const models = ['acme', 'brick'].map((id) => mediaModel({ id: `${id}/clip`, provider: id }));
  bench = await openActivityBench([provider('acme'), provider('brick'), provider('keyless')], models);
});

afterEach(() => bench.close());

const keys = (...aliases: string[]) => aliases.map((alias) => ({ alias, secret: alias, baseUrl: null }));

const run = (changes: Partial<Dependencies> = {}) =>
  bench.run(() => checkProviders({ ...bench.dependencies, ...changes }));

const checks = async () =>
  (await listHealthChecks(bench.dependencies.database))
    .map(({ at: _at, latencyMs: _latencyMs, ...check }) => check)
    .sort((left, right) => left.provider.localeCompare(right.provider));

const disable = (alias: string) =>
  bench.dependencies.database.providerCredential.create({
    data: { provider: 'acme', alias, source: 'environment', print: alias, disabledBy: 'provider_auth' },
  });

test('asks every provider that has a key once, and keeps what it found', async () => {
  doors['brick'] = () => Promise.reject(refusal('provider_overloaded'));
  expect(await run()).toEqual({ checked: 2, failed: 1 });
  expect(asked.sort()).toEqual(['acme main', 'brick main']);
  expect(await checks()).toEqual([
    { provider: 'acme', credential: 'main', model: null, code: null, failures: 0 },
    { provider: 'brick', credential: 'main', model: null, code: 'provider_overloaded', failures: 1 },
  ]);
});

test('does not ask who shall not be asked', async () => {
  const settings = { ...bench.dependencies.settings, checksHealthOf: (id: string) => id === 'brick' };
  expect(await run({ settings })).toEqual({ checked: 1, failed: 0 });
  expect(asked).toEqual(['brick main']);
});

test('does not ask who has just accepted real work', async () => {
  const { database } = bench.dependencies;
  const send = { generationId: await accept(database), number: 1, provider: 'acme', credential: 'main' };
  await database.send.create({ data: { ...send, epoch: 1, model: 'acme/clip', outcome: 'accepted' } });
  await database.send.create({
    data: { ...send, provider: 'brick', epoch: 2, model: 'brick/clip', outcome: 'provider_overloaded' },
  });
  await run();
  expect(asked).toEqual(['brick main']);
});

test('asks with the first key that is not switched off, and with the first where all are', async () => {
  const credentials = { acme: keys('main', 'spare', 'third') };
  await disable('main');
  await run({ credentials });
  await disable('spare');
  await disable('third');
  await run({ credentials });
  expect(asked).toEqual(['acme spare', 'acme main']);
});

test('one that breaks in an unforeseen way keeps no other from being asked', async () => {
  doors['acme'] = () => Promise.reject(new Error('unforeseen'));
  await expect(run()).rejects.toThrow('unforeseen');
  expect(await checks()).toMatchObject([{ provider: 'brick', code: null }]);
});

import type { Dependencies } from '../../src/activities/dependencies';
import { pollAttempt } from '../../src/activities/look';
import { reconcileOrphans } from '../../src/activities/orphans';
import { noUsage } from '../../src/domain/generation';
import type { Found } from '../../src/providers/provider';
import type { AttemptKey } from '../../src/stores/attempts';
import { listUnwatched } from '../../src/stores/reconciliation';
import { age, eventsOf, next, setStatus, statusesOf } from '../stores/ledger';
import { openRecoveryBench, refusal, type RecoveryBench } from '../support/recovery-bench';

let bench: RecoveryBench;
let doors: RecoveryBench['doors'];

beforeAll(async () => {
  bench = await openRecoveryBench();
  ({ doors } = bench);
});

afterAll(() => bench.close());

beforeEach(async () => {
  bench.reset();
  await bench.dependencies.database.$executeRaw`TRUNCATE generations CASCADE`;
});

const sweep = (changed: Partial<Dependencies> = {}) =>
  bench.run(() => reconcileOrphans({ ...bench.dependencies, ...changed }));

const long = 10 * 60_000;

/** Sent so long ago that no answer to it can come any more. */
const submitted = async (): Promise<AttemptKey> => {
  const key = await bench.submitted();
  await age(bench.dependencies.database, key, long);
  return key;
};

const running = ({ generationId, number }: AttemptKey, id: string): Found => ({
  trace: `${generationId}-${number}`,
  operation: { id, kind: 'stray' },
});

const list = (...found: Found[]): void => {
  doors.findAll = (traces) => Promise.resolve(found.filter(({ trace }) => traces.includes(trace)));
};

const repairsOf = async ({ generationId }: AttemptKey) =>
  (await eventsOf(bench.dependencies.database, generationId)).filter(({ type }) => type === 'generation.repair');

test('a second operation of one attempt gets a row of its own, is watched, and booked', async () => {
  const { database } = bench.dependencies;
  const key = await submitted();
  const { operationId } = await bench.attemptOf(key);
  list(running(key, operationId ?? ''), running(key, 'stray-1'));
  expect(await sweep()).toEqual({ adopted: 1, failed: 0 });
  const stray = next(key);
  expect(await bench.attemptOf(stray)).toMatchObject({
    status: 'submitted',
    supersededBy: 1,
    operationId: 'stray-1',
    operation: { kind: 'stray' },
    credential: 'main',
    credentialPrint: 'print',
  });
  expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted', operationId });
  expect(await listUnwatched(database, 0)).toEqual([stray]);
  expect(await repairsOf(key)).toMatchObject([{ data: { repair: 'orphan' } }]);
  doors.check = () =>
    Promise.resolve({ state: 'succeeded', outputs: [], usage: noUsage, warnings: [], chargedUsd: '0.31' });
  await bench.run(() => pollAttempt(bench.dependencies, { ...stray, watching: true }));
  expect(bench.asked.at(-1)).toMatchObject({ subject: { id: 'stray-1' } });
  expect((await bench.attemptOf(stray)).costUsd?.toFixed()).toBe('0.31');
  expect(await statusesOf(database, key.generationId)).toEqual(['submitted', 'succeeded']);
});

test('a stray is adopted once, however often and by whomever it is found', async () => {
  const key = await submitted();
  list(running(key, 'stray-2'), running(key, 'stray-2'), running(key, 'stray-3'));
  await Promise.all([sweep(), sweep(), sweep()]);
  expect(await sweep()).toEqual({ adopted: 0, failed: 0 });
  expect(await statusesOf(bench.dependencies.database, key.generationId)).toEqual([
    'submitted',
    'submitted',
    'submitted',
  ]);
  expect(await repairsOf(key)).toHaveLength(1);
});

test('the operation of a lost answer settles it', async () => {
  const key = await bench.sent(long);
  await setStatus(bench.dependencies.database, key, 'ambiguous', { possibleCostUsd: '0.04' });
  list(running(key, 'stray-4'));
  expect(await sweep()).toEqual({ adopted: 1, failed: 0 });
  expect(await bench.attemptOf(key)).toMatchObject({
    status: 'submitted',
    operationId: 'stray-4',
    possibleCostUsd: null,
    errorCode: null,
  });
  expect(await statusesOf(bench.dependencies.database, key.generationId)).toHaveLength(1);
});

test('the operation of what was taken for never received is not sent for again', async () => {
  const key = await bench.sent(long);
  await setStatus(bench.dependencies.database, key, 'planned', {
    sentAt: null,
    startedAt: new Date(Date.now() - long),
  });
  list(running(key, 'stray-5'));
  await sweep();
  expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted', operationId: 'stray-5' });
});

test('asks about what was sent with the key within a day, and is silent since a minute', async () => {
  const { database } = bench.dependencies;
  const asked = await submitted();
  await bench.sent(0);
  const old = await submitted();
  await setStatus(database, old, 'submitted', { startedAt: new Date(Date.now() - 25 * 3_600_000) });
  const unsent = await submitted();
  await setStatus(database, unsent, 'planned', { epoch: 0 });
  const others = await submitted();
  await setStatus(database, others, 'submitted', { credential: 'other' });
  let traces: readonly string[] = [];
  doors.findAll = (told) => {
    traces = told;
    return Promise.resolve([]);
  };
  expect(await sweep()).toEqual({ adopted: 0, failed: 0 });
  expect(traces).toEqual([`${asked.generationId}-1`]);
  expect(bench.asked).toMatchObject([{ call: { credential: { alias: 'main' } } }]);
});

test('nobody is asked where nothing was sent, or where there is no such list', async () => {
  expect(await sweep()).toEqual({ adopted: 0, failed: 0 });
  const { findAll, ...listless } = bench.acme;
  expect(findAll).toBeInstanceOf(Function);
  await submitted();
  expect(await sweep({ providers: [listless] })).toEqual({ adopted: 0, failed: 0 });
  expect(bench.asked).toEqual([]);
});

test('marks that are not ours are left alone', async () => {
  const key = await submitted();
  doors.findAll = () =>
    Promise.resolve([{ trace: 'somebody-1', operation: { id: 'theirs' } }, running(key, 'stray-6')]);
  expect(await sweep()).toEqual({ adopted: 1, failed: 0 });
});

test('a list that cannot be read does not hold up the others', async () => {
  const { credentials } = bench.dependencies;
  const main = credentials['acme']?.[0] ?? { alias: 'main', secret: 'secret', baseUrl: null };
  const key = await submitted();
  const second = await submitted();
  await setStatus(bench.dependencies.database, second, 'submitted', { credential: 'second' });
  doors.findAll = (traces) =>
    traces.includes(`${key.generationId}-1`)
      ? Promise.reject(refusal('provider_auth'))
      : Promise.resolve([running(second, 'stray-7')]);
  const both = { acme: [main, { ...main, alias: 'second' }] };
  expect(await sweep({ credentials: both })).toEqual({ adopted: 1, failed: 1 });
  expect(await bench.attemptOf(next(second))).toMatchObject({ operationId: 'stray-7' });
});

test('one model whose list cannot be read does not hold up the others of its key', async () => {
  const { database, models } = bench.dependencies;
  const other = { ...models[0], id: 'acme/other' } as (typeof models)[number];
  const first = await submitted();
  const second = await submitted();
  await setStatus(database, first, 'submitted', { model: 'acme/other', startedAt: new Date(Date.now() - 1_000) });
  await setStatus(database, second, 'submitted', { startedAt: new Date(Date.now() - 2_000) });
  doors.findAll = (traces) =>
    traces.includes(`${first.generationId}-1`)
      ? Promise.reject(refusal('provider_model_not_found'))
      : Promise.resolve([running(second, 'stray-8')]);
  expect(await sweep({ models: [...models, other] })).toEqual({ adopted: 1, failed: 1 });
  expect(await bench.attemptOf(next(second))).toMatchObject({ operationId: 'stray-8' });
});

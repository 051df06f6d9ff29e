import { rulesOf, unlimited } from '../../src/domain/limits';
import {
  deleteOverride,
  readOverrides,
  setOverride,
  tellAmount,
  type LimitName,
} from '../../src/stores/limit-overrides';
import { openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
});

afterEach(() => ledger.close());

const everyKey: LimitName = { provider: 'acme', credential: null, model: null, kind: 'requests_per_minute' };

const overrides = async () =>
  (await readOverrides(ledger.database, 'acme')).map(({ changedAt: _changedAt, ...override }) => override);

const events = async () =>
  (await ledger.database.providerEvent.findMany({ orderBy: { id: 'asc' } })).map(
    ({ provider, credential, model, type, data }) => ({ provider, credential, model, type, data }),
  );

test('what is set is read, by its names and exactly', async () => {
  const main: LimitName = { provider: 'acme', credential: 'main', model: 'acme/clip', kind: 'spend_per_month' };
  await setOverride(ledger.database, { ...everyKey, most: '30' });
  await setOverride(ledger.database, { ...main, most: '0.00000001' });
  await setOverride(ledger.database, { ...everyKey, kind: 'jobs_in_flight', most: null });
  await setOverride(ledger.database, { ...everyKey, provider: 'brick', most: '7' });
  expect(await overrides()).toEqual([
    { ...everyKey, kind: 'jobs_in_flight', most: null },
    { ...everyKey, most: '30' },
    { ...main, most: '0.00000001' },
  ]);
  expect(await readOverrides(ledger.database)).toHaveLength(4);
});

test('the last word counts, and only a change is told', async () => {
  expect(await setOverride(ledger.database, { ...everyKey, most: '30' })).toBe(true);
  const [first] = await readOverrides(ledger.database, 'acme');
  expect(await setOverride(ledger.database, { ...everyKey, most: '30.00' })).toBe(false);
  expect(await readOverrides(ledger.database, 'acme')).toEqual([first]);
  expect(await setOverride(ledger.database, { ...everyKey, most: null })).toBe(true);
  expect(await overrides()).toEqual([{ ...everyKey, most: null }]);
  const told = { provider: 'acme', credential: null, model: null, type: 'limit.changed' };
  expect(await events()).toEqual([
    { ...told, data: { kind: 'requests_per_minute', source: 'run_time', limit: 30 } },
    { ...told, data: { kind: 'requests_per_minute', source: 'run_time', limit: null } },
  ]);
});

test('what is taken back is gone, and told once', async () => {
  await setOverride(ledger.database, { ...everyKey, most: '30' });
  expect(await deleteOverride(ledger.database, { ...everyKey, credential: 'main' })).toBe(false);
  expect(await deleteOverride(ledger.database, everyKey)).toBe(true);
  expect(await deleteOverride(ledger.database, everyKey)).toBe(false);
  expect(await overrides()).toEqual([]);
  expect((await events()).map(({ data }) => data)).toEqual([
    { kind: 'requests_per_minute', source: 'run_time', limit: 30 },
    { kind: 'requests_per_minute', source: 'configuration' },
  ]);
});

test('whoever waits is looked at again at once, and nobody is woken who does not wait', async () => {
  const later = new Date(Date.now() + 3_600_000);
  await ledger.database.queue.createMany({
    data: [
      { provider: 'acme', virtualTimes: [0, 0, 0], nextAt: later },
      { provider: 'brick', virtualTimes: [0, 0, 0], nextAt: later },
      { provider: 'cloud', virtualTimes: [0, 0, 0], nextAt: null },
    ],
  });
  const nextAt = async (provider: string) =>
    (await ledger.database.queue.findUniqueOrThrow({ where: { provider } })).nextAt?.getTime() ?? null;
  await setOverride(ledger.database, { ...everyKey, most: '30' });
  await setOverride(ledger.database, { ...everyKey, provider: 'cloud', most: '30' });
  expect(await nextAt('acme')).toBeLessThan(later.getTime());
  expect(await nextAt('brick')).toBe(later.getTime());
  expect(await nextAt('cloud')).toBeNull();
});

test('a row that is set for a key stands above the one for every key, and both above the configuration', async () => {
  const limits = { key: { ...unlimited, requestsPerMinute: 10 }, models: {}, cooldownSeconds: 1 };
  await setOverride(ledger.database, { ...everyKey, most: '20' });
  await setOverride(ledger.database, { ...everyKey, credential: 'main', most: '30' });
  await setOverride(ledger.database, { ...everyKey, credential: 'free', most: null });
  const set = await readOverrides(ledger.database, 'acme');
  const most = (alias: string) => rulesOf(alias, limits, set).map((rule) => rule.most);
  expect([most('main'), most('spare'), most('free')]).toEqual([[30], [20], []]);
});

test('twenty who set the same limit at once leave one row and one change each time it changes', async () => {
  await Promise.all(Array.from({ length: 20 }, () => setOverride(ledger.database, { ...everyKey, most: '5' })));
  expect(await overrides()).toEqual([{ ...everyKey, most: '5' }]);
  expect(await events()).toHaveLength(1);
});

test('money is told as text, counts as numbers', () => {
  expect(tellAmount('spend_per_month', 12.5)).toBe('12.5');
  expect(tellAmount('spend_per_month', '0.00000001')).toBe('0.00000001');
  expect(tellAmount('tokens_per_minute', '100')).toBe(100);
});

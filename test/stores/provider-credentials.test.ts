import { connectDatabase, type Database } from '../../src/stores/database';
import {
  addApiKey,
  adjustKey,
  listProviderCredentials,
  removeApiKey,
  setEnabled,
  syncEnvironmentKeys,
  type NamedKey,
} from '../../src/stores/provider-credentials';
import { createTestDatabase, type TestDatabase } from '../support/database';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = connectDatabase({ url: testDatabase.url, poolSize: 5 });
});

beforeEach(() => database.$executeRaw`TRUNCATE provider_credentials, provider_events, queues`);

afterAll(async () => {
  await database.$disconnect();
  await testDatabase.drop();
});

const key = (alias: string, print = `print-${alias}`, provider = 'fal'): NamedKey => ({ provider, alias, print });
const given = (alias: string, print = `print-${alias}`) => ({ ...key(alias, print), priority: 100, weight: 1 });

const sync = (...keys: NamedKey[]) => syncEnvironmentKeys(database, keys);

/** As health leaves a key behind. */
const mark = (alias: string, state: object) =>
  database.providerCredential.updateMany({ where: { provider: 'fal', alias }, data: state });

const rowOf = async (alias: string) =>
  (await listProviderCredentials(database, 'fal')).find((row) => row.alias === alias);

const namesIn = async () =>
  (await listProviderCredentials(database)).map(({ provider, alias, source, print }) => [
    provider,
    alias,
    source,
    print,
  ]);

const eventsNow = async () =>
  (await database.providerEvent.findMany({ orderBy: { id: 'asc' } })).map(({ type, credential, data }) => [
    type,
    credential,
    data,
  ]);

const inAnHour = (): Date => new Date(Date.now() + 3_600_000);

const refused = {
  disabledBy: 'provider_auth',
  disabledAt: new Date('2026-11-20T00:00:00Z'),
  pausedUntil: inAnHour(),
  failures: 3,
  lastErrorCode: 'provider_auth',
  lastErrorAt: new Date('2026-11-20T00:00:00Z'),
  lastUsedAt: new Date('2026-11-20T00:00:00Z'),
};

/** Somebody waits for a turn of this provider, and is looked after in an hour. */
const wait = (provider: string) =>
  database.queue.upsert({
    where: { provider },
    create: { provider, virtualTimes: [0, 0, 0], nextAt: inAnHour() },
    update: { nextAt: inAnHour() },
  });

const isWoken = async (provider: string): Promise<boolean> => {
  const { nextAt } = await database.queue.findUniqueOrThrow({ where: { provider } });
  return nextAt !== null && nextAt.getTime() < inAnHour().getTime() - 1_800_000;
};

describe("the environment's keys", () => {
  test('are in the table from the start on, and a second start changes nothing', async () => {
    const keys = [key('main'), key('main', 'print-runway', 'runway')];
    expect(await sync(...keys)).toEqual([
      { provider: 'fal', alias: 'main', change: 'added' },
      { provider: 'runway', alias: 'main', change: 'added' },
    ]);
    await mark('main', refused);
    await adjustKey(database, key('main'), { priority: 3, weight: 2 });
    const before = await listProviderCredentials(database);
    expect(await sync(...keys)).toEqual([]);
    expect(await listProviderCredentials(database)).toEqual(before);
    expect(await rowOf('main')).toMatchObject({ ...refused, source: 'environment', priority: 3, weight: 2 });
    expect(await eventsNow()).toEqual([]);
  });

  test('start anew with another secret, in the place the name had', async () => {
    await sync(key('main'));
    await mark('main', refused);
    await adjustKey(database, key('main'), { priority: 3, weight: 2 });
    expect(await sync(key('main', 'another'))).toEqual([{ provider: 'fal', alias: 'main', change: 'changed' }]);
    expect(await rowOf('main')).toMatchObject({
      ...{ print: 'another', priority: 3, weight: 2, failures: 0, isPaused: false },
      ...{ disabledBy: null, disabledAt: null, pausedUntil: null, lastErrorCode: null, lastErrorAt: null },
    });
    expect(await eventsNow()).toEqual([['key.enabled', 'main', { by: 'environment' }]]);
  });

  test('are taken out when they have left, and those given by API stay', async () => {
    await sync(key('main'), key('second'), key('main', 'print-runway', 'runway'));
    await addApiKey(database, given('extra'));
    expect(await sync(key('main'))).toEqual([
      { provider: 'fal', alias: 'second', change: 'removed' },
      { provider: 'runway', alias: 'main', change: 'removed' },
    ]);
    expect(await namesIn()).toEqual([
      ['fal', 'extra', 'api', 'print-extra'],
      ['fal', 'main', 'environment', 'print-main'],
    ]);
  });

  test('take what they went through along to another name: numbers move up when the first key leaves', async () => {
    await sync(key('key-1', 'a'), key('key-2', 'b'), key('key-3', 'c'));
    await mark('key-1', refused);
    const pausedUntil = inAnHour();
    await mark('key-2', { pausedUntil, failures: 2 });
    await adjustKey(database, key('key-3'), { priority: 7, weight: 3 });
    await sync(key('key-1', 'b'), key('key-2', 'c'));
    expect(await rowOf('key-1')).toMatchObject({ print: 'b', pausedUntil, failures: 2, disabledBy: null });
    expect(await rowOf('key-2')).toMatchObject({ print: 'c', pausedUntil: null, priority: 7, weight: 3 });
    expect(await rowOf('key-3')).toBeUndefined();
  });

  test('take over a name and a key that were given by API', async () => {
    await addApiKey(database, given('main'));
    await addApiKey(database, given('spare'));
    await addApiKey(database, given('other'));
    await mark('main', { failures: 1 });
    await mark('spare', { failures: 2 });
    await sync(key('main'), key('prod', 'print-spare'), key('other', 'another secret'));
    expect(await namesIn()).toEqual([
      ['fal', 'main', 'environment', 'print-main'],
      ['fal', 'other', 'environment', 'another secret'],
      ['fal', 'prod', 'environment', 'print-spare'],
    ]);
    expect([(await rowOf('main'))?.failures, (await rowOf('prod'))?.failures]).toEqual([1, 2]);
  });

  test('are there once, however many workers start at a time', async () => {
    const keys = ['a', 'b', 'c'].map((alias) => key(alias));
    const changes = await Promise.all(Array.from({ length: 8 }, () => sync(...keys)));
    expect(changes.flat()).toHaveLength(3);
    expect(await namesIn()).toHaveLength(3);
  });
});

describe('a key given by API', () => {
  test('is in use at once', async () => {
    expect(await addApiKey(database, { ...key('extra'), priority: 5, weight: 2 })).toBeNull();
    expect(await rowOf('extra')).toMatchObject({
      source: 'api',
      priority: 5,
      weight: 2,
      disabledBy: null,
      failures: 0,
    });
  });

  test('needs a name and a secret of its own', async () => {
    await sync(key('main'));
    await addApiKey(database, given('extra'));
    const conflictOf = (alias: string, print: string) => addApiKey(database, given(alias, print));
    expect(await conflictOf('main', 'x')).toEqual({ of: 'alias', alias: 'main', source: 'environment' });
    expect(await conflictOf('extra', 'x')).toEqual({ of: 'alias', alias: 'extra', source: 'api' });
    expect(await conflictOf('x', 'print-main')).toEqual({ of: 'key', alias: 'main', source: 'environment' });
    const elsewhere = { ...given('main'), provider: 'runway' };
    expect(await addApiKey(database, elsewhere)).toBeNull();
    expect(await namesIn()).toHaveLength(3);
  });

  test.each([
    ['name', (number: number) => given('extra', `print-${number}`)],
    ['secret', (number: number) => given(`extra-${number}`, 'the same')],
  ])('of which several come at once with one %s is there once', async (_what, make) => {
    const conflicts = await Promise.all([1, 2, 3, 4, 5].map((number) => addApiKey(database, make(number))));
    expect(conflicts.filter((conflict) => conflict === null)).toHaveLength(1);
    expect(await namesIn()).toHaveLength(1);
  });

  test('can be taken away again; one of the environment cannot', async () => {
    await sync(key('main'));
    await addApiKey(database, given('extra'));
    expect(await removeApiKey(database, 'fal', 'extra')).toBe('removed');
    expect(await removeApiKey(database, 'fal', 'extra')).toBe('unknown');
    expect(await removeApiKey(database, 'fal', 'main')).toBe('environment');
    expect(await namesIn()).toEqual([['fal', 'main', 'environment', 'print-main']]);
  });
});

describe('the switch', () => {
  test('turns a key off and on, with an event each time it does', async () => {
    await sync(key('main'));
    for (const enabled of [false, false, true, true])
      expect(await setEnabled(database, key('main'), enabled)).toBe(true);
    expect(await eventsNow()).toEqual([
      ['key.disabled', 'main', { by: 'operator' }],
      ['key.enabled', 'main', { by: 'operator' }],
    ]);
  });

  test('says who turned it', async () => {
    await sync(key('main'));
    await setEnabled(database, key('main'), false);
    expect(await rowOf('main')).toMatchObject({ disabledBy: 'operator', disabledAt: expect.any(Date) });
    await setEnabled(database, key('main'), true);
    expect(await rowOf('main')).toMatchObject({ disabledBy: null, disabledAt: null });
  });

  test('enables what was refused, and lifts the pause that its provider asked for', async () => {
    await sync(key('main'));
    await mark('main', refused);
    await setEnabled(database, key('main'), false);
    expect(await rowOf('main')).toMatchObject({ disabledBy: 'provider_auth' });
    await setEnabled(database, key('main'), true);
    const { lastErrorCode } = refused;
    expect(await rowOf('main')).toMatchObject({ disabledBy: null, failures: 0, pausedUntil: null, lastErrorCode });
  });

  test('is not there for a key that is not there', async () => {
    expect(await setEnabled(database, key('main'), true)).toBe(false);
    expect(await setEnabled(database, key('main'), false)).toBe(false);
    expect(await adjustKey(database, key('main'), { priority: 1 })).toBe(false);
  });
});

test('whoever waits is looked after when a key comes or is enabled, and only then', async () => {
  const works: [work: () => Promise<unknown>, wakes: boolean][] = [
    [() => sync(key('main')), true],
    [() => sync(key('main')), false],
    [() => sync(key('main', 'another')), true],
    [() => setEnabled(database, key('main'), false), false],
    [() => setEnabled(database, key('main'), true), true],
    [() => addApiKey(database, given('extra')), true],
    [() => addApiKey(database, given('extra')), false],
    [() => removeApiKey(database, 'fal', 'extra'), false],
    [() => sync(), false],
  ];
  for (const [work, wakes] of works) {
    await wait('fal');
    await wait('runway');
    await work();
    expect(await isWoken('fal')).toBe(wakes);
    expect(await isWoken('runway')).toBe(false);
  }
});

test('the list has those that come first in front, and pauses by the clock of the database', async () => {
  await sync(key('b'), key('a'), key('B'), key('first'));
  await adjustKey(database, key('first'), { priority: 1 });
  await database.$executeRaw`UPDATE provider_credentials SET paused_until = now() + interval '1 minute' WHERE alias = 'a'`;
  await database.$executeRaw`UPDATE provider_credentials SET paused_until = now() - interval '1 second' WHERE alias = 'b'`;
  const rows = await listProviderCredentials(database, 'fal');
  expect(rows.map(({ alias, isPaused }) => [alias, isPaused])).toEqual([
    ['first', false],
    ['B', false],
    ['a', true],
    ['b', false],
  ]);
  expect(await listProviderCredentials(database, 'runway')).toEqual([]);
});

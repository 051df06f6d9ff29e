import type { Trouble } from '../../src/domain/key-health';
import { endTrouble, recordTrouble, type KeyNews } from '../../src/stores/key-health';
import { databaseNow } from './breaker-bench';
import { openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

let keys = 0;

const newKey = async () => {
  keys += 1;
  const key = { provider: 'acme', alias: `key-${keys}`, print: `print-${keys}` };
  await ledger.database.providerCredential.create({ data: { ...key, source: 'environment' } });
  return key;
};

type Key = Awaited<ReturnType<typeof newKey>>;

const rowOf = ({ provider, alias }: Key) =>
  ledger.database.providerCredential.findUniqueOrThrow({ where: { provider_alias: { provider, alias } } });

const eventsOf = ({ alias }: Key) =>
  ledger.database.providerEvent.findMany({ where: { credential: alias }, orderBy: { id: 'asc' } });

const limited = (retryAfterMs: number | null = null): Trouble => ({ kind: 'limited', retryAfterMs });
const fault: Trouble = { kind: 'fault', retryAfterMs: null };
const refused: Trouble = { kind: 'refused', code: 'provider_auth' };

const codes = {
  limited: 'provider_rate_limited',
  fault: 'provider_server_error',
  refused: 'provider_auth',
} as const;

const now = async (): Promise<Date> => databaseNow(ledger.database);

const tell = async (key: Key, trouble: Trouble, changed: Partial<KeyNews> = {}): Promise<void> =>
  recordTrouble(ledger.database, key, {
    ...{ trouble, code: codes[trouble.kind], sentAt: new Date((await now()).getTime() + 1), cooldownSeconds: 30 },
    ...changed,
  });

/** From now by the database's clock, in seconds. */
const pauseOf = async (key: Key): Promise<number> => {
  const { pausedUntil } = await rowOf(key);
  return pausedUntil === null ? 0 : (pausedUntil.getTime() - (await now()).getTime()) / 1000;
};

const expectPause = async (key: Key, seconds: number): Promise<void> => {
  const left = await pauseOf(key);
  expect(left).toBeLessThanOrEqual(seconds);
  expect(left).toBeGreaterThan(seconds - 5);
};

test('a rate limit pauses its key by the database clock, and tells so', async () => {
  const key = await newKey();
  const before = await now();
  await tell(key, limited(90_000));
  const row = await rowOf(key);
  expect(row).toMatchObject({ failures: 1, disabledBy: null, lastErrorCode: 'provider_rate_limited' });
  expect(row.pausedUntil?.getTime()).toBeGreaterThanOrEqual(before.getTime() + 90_000);
  expect(row.pausedUntil?.getTime()).toBeLessThanOrEqual((await now()).getTime() + 90_000);
  expect(row.lastErrorAt?.getTime()).toBeGreaterThanOrEqual(before.getTime());
  const [event, ...others] = await eventsOf(key);
  expect(others).toEqual([]);
  expect(event).toMatchObject({ type: 'key.paused', provider: 'acme', credential: key.alias, model: null });
  expect(event?.data).toEqual({ code: 'provider_rate_limited', until: row.pausedUntil?.toISOString(), failures: 1 });
});

test('one after the other rests it longer; one that goes well begins anew', async () => {
  const key = await newKey();
  await tell(key, limited());
  await expectPause(key, 30);
  await tell(key, limited());
  await expectPause(key, 60);
  await endTrouble(ledger.database, key);
  expect(await rowOf(key)).toMatchObject({ failures: 0, lastErrorCode: 'provider_rate_limited' });
  // what the provider has not taken back holds
  await expectPause(key, 60);
  await tell(key, limited(120_000));
  expect((await rowOf(key)).failures).toBe(1);
});

test('many that were under way together are one pause and one event', async () => {
  const key = await newKey();
  const sentAt = await now();
  await Promise.all(Array.from({ length: 12 }, () => tell(key, limited(), { sentAt })));
  expect((await rowOf(key)).failures).toBe(1);
  await expectPause(key, 30);
  expect((await eventsOf(key)).map(({ type }) => type)).toEqual(['key.paused']);
});

test('three faults in a row rest it', async () => {
  const key = await newKey();
  await tell(key, fault);
  await tell(key, fault);
  expect(await rowOf(key)).toMatchObject({ failures: 2, pausedUntil: null, lastErrorCode: 'provider_server_error' });
  await tell(key, fault);
  await expectPause(key, 30);
  await tell(key, fault);
  await expectPause(key, 60);
  expect((await eventsOf(key)).map(({ type }) => type)).toEqual(['key.paused', 'key.paused']);
});

test('of three faults that are told at the same time none is lost', async () => {
  for (let round = 0; round < 5; round += 1) {
    const key = await newKey();
    await Promise.all([tell(key, fault), tell(key, fault), tell(key, fault)]);
    expect((await rowOf(key)).failures).toBe(3);
    await expectPause(key, 30);
  }
});

test('a refused key is switched off once', async () => {
  const key = await newKey();
  const before = await now();
  await Promise.all([tell(key, refused), tell(key, refused), tell(key, refused)]);
  const row = await rowOf(key);
  expect(row).toMatchObject({ disabledBy: 'provider_auth', pausedUntil: null, lastErrorCode: 'provider_auth' });
  expect(row.disabledAt?.getTime()).toBeGreaterThanOrEqual(before.getTime());
  expect(await eventsOf(key)).toMatchObject([{ type: 'key.disabled', data: { by: 'provider_auth' } }]);
  await tell(key, { kind: 'refused', code: 'provider_insufficient_funds' }, { code: 'provider_insufficient_funds' });
  expect(await rowOf(key)).toMatchObject({
    ...{ disabledBy: 'provider_auth', disabledAt: row.disabledAt, lastErrorCode: 'provider_insufficient_funds' },
  });
  expect(await eventsOf(key)).toHaveLength(1);
});

test('a person who switched it off is not overruled', async () => {
  const key = await newKey();
  const disabledAt = new Date('2026-11-21T12:00:00Z');
  await ledger.database.providerCredential.updateMany({
    where: { alias: key.alias },
    data: { disabledBy: 'operator', disabledAt },
  });
  await tell(key, refused);
  expect(await rowOf(key)).toMatchObject({ disabledBy: 'operator', disabledAt, failures: 1 });
  expect(await eventsOf(key)).toEqual([]);
});

test('what another key of the same name hears is not said of this one', async () => {
  const key = await newKey();
  await tell(key, fault);
  const before = await rowOf(key);
  const former = { ...key, print: 'former' };
  await tell(former, refused);
  await tell(former, limited());
  await endTrouble(ledger.database, former);
  expect(await rowOf(key)).toEqual(before);
});

test('a key that has gone hears nothing', async () => {
  const gone = { provider: 'acme', alias: 'gone', print: 'gone' };
  await tell(gone, refused);
  await endTrouble(ledger.database, gone);
  expect(await eventsOf(gone)).toEqual([]);
});

test('what goes well writes nothing where nothing went wrong', async () => {
  const key = await newKey();
  const versionOf = async (): Promise<unknown> =>
    ledger.database.$queryRaw`SELECT xmin::text, ctid::text FROM provider_credentials WHERE alias = ${key.alias}`;
  const before = await versionOf();
  await endTrouble(ledger.database, key);
  expect(await versionOf()).toEqual(before);
});

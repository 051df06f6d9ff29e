import { memorySeconds, probeMs, type BreakerPolicy, type Verdict } from '../../src/domain/breaker';
import { beginProbe, listBreakers, recordNews, type BreakerPlace } from '../../src/stores/breakers';
import { inTransaction } from '../../src/stores/database';
import { readStanding } from '../../src/stores/standing';
import { databaseNow as readNow, fault, insertSends as insert, newPlace, type Sent } from './breaker-bench';
import { accept, openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

const insertSends = (place: BreakerPlace, sends: readonly Partial<Sent>[]) => insert(ledger.database, place, sends);

const databaseNow = async (): Promise<number> => (await readNow(ledger.database)).getTime();

const policy: BreakerPolicy = { failures: 3, ratio: 0.5, minimumCount: 8, windowSeconds: 60, openSeconds: 30 };

const tell = (place: BreakerPlace, verdict: Verdict, attempt = 'gen_other/1') =>
  recordNews(ledger.database, place, { news: { verdict, attempt, of: 'sends' }, policy });

/** So many sends fail, one after the other. */
const fail = async (place: BreakerPlace, times: number): Promise<void> => {
  for (let count = 0; count < times; count += 1) {
    await insertSends(place, [fault]);
    await tell(place, 'fault');
  }
};

const rowOf = (place: BreakerPlace) =>
  ledger.database.breaker.findUnique({ where: { provider_model_credential: place } });

const gateOf = async ({ provider, model }: BreakerPlace) => {
  const { gates } = await readStanding(ledger.database, { provider, rules: [] }, () => 0);
  return gates.find((gate) => gate.model === model);
};

/** As if this much time had gone by for the breaker. */
const pass = (place: BreakerPlace, seconds: number) => ledger.database.$executeRaw`
  UPDATE breakers SET open_until = open_until - make_interval(secs => ${seconds}::float8),
    probe_until = probe_until - make_interval(secs => ${seconds}::float8) WHERE model = ${place.model}`;

const probe = (place: BreakerPlace, name: string) =>
  inTransaction(ledger.database, (transaction) => beginProbe(transaction, { ...place, probe: name }));

const eventsOf = async ({ model }: BreakerPlace): Promise<string[]> => {
  const rows = await ledger.database.providerEvent.findMany({ where: { model }, orderBy: { id: 'asc' } });
  return rows.map(({ type }) => type);
};

/** Open, and its time is over. */
const ripe = async (): Promise<BreakerPlace> => {
  const place = newPlace();
  await fail(place, 3);
  await pass(place, 31);
  return place;
};

describe('a breaker opens', () => {
  test('by faults in a row, and leaves no row before', async () => {
    const place = newPlace();
    await fail(place, 2);
    expect(await rowOf(place)).toBeNull();
    expect(await gateOf(place)).toBeUndefined();
    const before = await databaseNow();
    await fail(place, 1);
    const gate = await gateOf(place);
    expect(gate).toMatchObject({ credential: 'main', model: place.model });
    expect(gate?.until.getTime()).toBeGreaterThanOrEqual(before + 30_000 - 1);
    expect(gate?.until.getTime()).toBeLessThanOrEqual((await databaseNow()) + 30_000);
    expect(await rowOf(place)).toMatchObject({ state: 'open', openings: 1, probe: null, probeUntil: null });
    const [event] = await ledger.database.providerEvent.findMany({ where: { model: place.model } });
    expect(event).toMatchObject({ type: 'breaker.opened', provider: 'acme', credential: 'main' });
    expect(event?.data).toMatchObject({
      openings: 1,
      faults: 3,
      inARow: 3,
      count: 3,
      until: gate?.until.toISOString(),
    });
  });

  test('by their share of the window', async () => {
    const place = newPlace();
    await insertSends(place, [fault, fault, {}, fault, {}, fault, {}]);
    await tell(place, 'fault');
    expect(await rowOf(place)).toBeNull();
    await insertSends(place, [{ ...fault, agoMs: 5_000 }]);
    await tell(place, 'fault');
    expect(await rowOf(place)).toMatchObject({ state: 'open' });
  });

  test('not by faults of another model, of another key, or of a time before', async () => {
    const place = newPlace();
    await insertSends({ ...place, model: `${place.model}-pro` }, [fault, fault]);
    await insertSends({ ...place, credential: 'spare' }, [fault, fault]);
    await insertSends({ ...place, provider: 'brick' }, [fault, fault]);
    await insertSends(place, [{ ...fault, agoMs: (memorySeconds + 60) * 1000 }]);
    await fail(place, 2);
    expect(await rowOf(place)).toBeNull();
    await fail(place, 1);
    expect(await rowOf(place)).toMatchObject({ state: 'open' });
  });

  test.each<[Verdict]>([['answer'], ['silent']])('not by what is no fault: %s', async (verdict) => {
    const place = newPlace();
    await insertSends(place, [fault, fault, fault, fault]);
    await tell(place, verdict);
    expect(await rowOf(place)).toBeNull();
  });

  test('not again by what left before it closed', async () => {
    const place = await ripe();
    await insertSends(place, [fault, fault]);
    await probe(place, 'gen_probe/1');
    await insertSends(place, [{}]);
    await tell(place, 'answer', 'gen_probe/1');
    await insertSends(place, [{ ...fault, agoMs: 1_000 }]);
    await tell(place, 'fault');
    expect(await rowOf(place)).toMatchObject({ state: 'closed', openings: 0 });
    await fail(place, 2);
    expect(await rowOf(place)).toMatchObject({ state: 'closed' });
    await fail(place, 1);
    expect(await rowOf(place)).toMatchObject({ state: 'open', openings: 1 });
  });
});

describe('an open breaker', () => {
  test('is left alone by whatever comes in late', async () => {
    const place = newPlace();
    await fail(place, 3);
    const before = await rowOf(place);
    await fail(place, 3);
    await tell(place, 'answer');
    await tell(place, 'silent');
    expect(await rowOf(place)).toEqual(before);
  });

  test('lets nobody try before its time', async () => {
    const place = newPlace();
    await fail(place, 3);
    expect(await probe(place, 'gen_early/1')).toBe(false);
    expect(await rowOf(place)).toMatchObject({ state: 'open', probe: null });
  });

  test('lets one try after it, for as long as a turn lasts', async () => {
    const place = await ripe();
    expect((await gateOf(place))?.until.getTime()).toBeLessThanOrEqual(await databaseNow());
    const before = await databaseNow();
    expect(await probe(place, 'gen_probe/1')).toBe(true);
    expect(await probe(place, 'gen_second/1')).toBe(false);
    expect(await rowOf(place)).toMatchObject({ state: 'half_open', probe: 'gen_probe/1', openings: 1 });
    expect((await gateOf(place))?.until.getTime()).toBeGreaterThanOrEqual(before + probeMs - 1);
    expect(await eventsOf(place)).toEqual(['breaker.opened', 'breaker.half_open']);
  });
});

describe('a probe', () => {
  test('that is answered closes the breaker', async () => {
    const place = await ripe();
    await probe(place, 'gen_probe/1');
    expect(await tell(place, 'answer', 'gen_probe/1')).toEqual({ state: 'closed' });
    expect(await gateOf(place)).toBeUndefined();
    expect(await rowOf(place)).toMatchObject({ state: 'closed', openings: 0, openUntil: null, probe: null });
    expect(await eventsOf(place)).toEqual(['breaker.opened', 'breaker.half_open', 'breaker.closed']);
  });

  test('that fails opens it for twice as long, and so on up to an hour', async () => {
    const place = await ripe();
    const lengths: number[] = [];
    for (let count = 0; count < 9; count += 1) {
      await probe(place, 'gen_probe/1');
      const before = await databaseNow();
      await tell(place, 'fault', 'gen_probe/1');
      const row = await rowOf(place);
      lengths.push(Math.round(((row?.openUntil?.getTime() ?? 0) - before) / 1000));
      await pass(place, 3_601);
    }
    expect(lengths).toEqual([60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    expect(await rowOf(place)).toMatchObject({ openings: 10 });
  });

  test('that says nothing leaves it to the next at once, and is no news', async () => {
    const place = await ripe();
    await probe(place, 'gen_probe/1');
    await tell(place, 'silent', 'gen_probe/1');
    expect(await rowOf(place)).toMatchObject({ state: 'half_open', openings: 1 });
    expect(await probe(place, 'gen_second/1')).toBe(true);
    expect(await eventsOf(place)).toEqual(['breaker.opened', 'breaker.half_open', 'breaker.half_open']);
  });

  test.each<[Verdict]>([['answer'], ['fault'], ['silent']])(
    'is not ended by what somebody else is told: %s',
    async (verdict) => {
      const place = await ripe();
      await probe(place, 'gen_probe/1');
      await insertSends(place, [fault]);
      await tell(place, verdict, 'gen_other/1');
      expect(await rowOf(place)).toMatchObject({ state: 'half_open', probe: 'gen_probe/1' });
    },
  );

  test('whose turn lapsed leaves it to the next, and is not heard any more', async () => {
    const place = await ripe();
    await probe(place, 'gen_probe/1');
    await pass(place, 61);
    expect((await gateOf(place))?.until.getTime()).toBeLessThanOrEqual(await databaseNow());
    expect(await probe(place, 'gen_second/1')).toBe(true);
    await tell(place, 'answer', 'gen_probe/1');
    expect(await rowOf(place)).toMatchObject({ state: 'half_open', probe: 'gen_second/1' });
  });

  const hold = async (place: BreakerPlace, credential: string) => {
    const generationId = await accept(ledger.database);
    await probe(place, `${generationId}/1`);
    await pass(place, 61);
    const { provider, model } = place;
    const attempt = { generationId, number: 1, provider, model };
    await ledger.database.attempt.create({ data: { ...attempt, status: 'planned', priceVersion: 'made up' } });
    return { generationId, attempt: { ...attempt, credential } };
  };

  test.each([
    ['main', 40_000],
    ['spare', -1],
  ])('that keeps its turn with the key %s is waited for', async (credential, leastMs) => {
    const place = await ripe();
    const { attempt } = await hold(place, credential);
    const now = await databaseNow();
    const leaseUntil = new Date(now + 45_000);
    await ledger.database.turn.create({
      data: { ...attempt, tenantId: 'ten_test', priority: 1, tag: 0, leaseUntil },
    });
    const until = (await gateOf(place))?.until.getTime() ?? 0;
    if (leastMs > 0) expect(until).toBe(leaseUntil.getTime());
    else expect(until).toBeLessThanOrEqual(now);
  });

  test.each([
    ['submitting', 'main', true],
    ['submitting', 'spare', false],
    ['submitted', 'main', false],
    ['ambiguous', 'main', false],
  ])('that is %s with the key %s may still be answered: %s', async (status, credential, isAwaited) => {
    const place = await ripe();
    const { generationId } = await hold(place, credential);
    const now = await databaseNow();
    await ledger.database.attempt.updateMany({
      where: { generationId },
      data: { status, credential, sentAt: new Date(now - 80_000), sendTimeoutMs: 600_000 },
    });
    const until = (await gateOf(place))?.until.getTime() ?? 0;
    if (isAwaited) expect(until).toBe(now - 80_000 + 600_000 + 5_000);
    else expect(until).toBeLessThanOrEqual(now);
  });

  test('of a breaker that closed meanwhile is none', async () => {
    expect(await probe(newPlace(), 'gen_probe/1')).toBe(false);
  });
});

describe('many at once', () => {
  test('faults that come together open it once, and the last one sees all', async () => {
    for (let round = 0; round < 15; round += 1) {
      const place = newPlace();
      await Promise.all(Array.from({ length: policy.failures }, () => fail(place, 1)));
      expect(await rowOf(place)).toMatchObject({ state: 'open', openings: 1 });
      expect(await eventsOf(place)).toEqual(['breaker.opened']);
    }
  });

  test('of many that want to try one does', async () => {
    for (let round = 0; round < 10; round += 1) {
      const place = await ripe();
      const names = Array.from({ length: 12 }, (_item, index) => `gen_${index}/1`);
      const begun = await Promise.all(names.map(async (name) => ((await probe(place, name)) ? [name] : [])));
      expect(begun.flat()).toHaveLength(1);
      expect(await rowOf(place)).toMatchObject({ state: 'half_open', probe: begun.flat()[0] });
    }
  });

  test('the probe counts among answers of others, and exactly once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const place = await ripe();
      await probe(place, 'gen_probe/1');
      const strays = Array.from({ length: 8 }, () => tell(place, 'fault'));
      const probes = Array.from({ length: 3 }, () => tell(place, 'fault', 'gen_probe/1'));
      await Promise.all([...strays, ...probes]);
      expect(await rowOf(place)).toMatchObject({ state: 'open', openings: 2 });
      expect(await eventsOf(place)).toEqual(['breaker.opened', 'breaker.half_open', 'breaker.opened']);
    }
  });

  test('rounds and answers on several breakers do not wait for each other for ever', async () => {
    const places = await Promise.all([ripe(), ripe(), ripe()]);
    const round = (order: readonly BreakerPlace[], name: string) =>
      inTransaction(ledger.database, async (transaction) => {
        await transaction.$executeRaw`SELECT pg_advisory_xact_lock(1)`;
        for (const place of order) await beginProbe(transaction, { ...place, probe: name });
      });
    await Promise.all([
      round(places, 'gen_one/1'),
      round([...places].reverse(), 'gen_two/1'),
      ...places.flatMap((place) => [
        tell(place, 'fault', 'gen_one/1'),
        tell(place, 'fault', 'gen_two/1'),
        fail(place, 2),
      ]),
    ]);
    for (const place of places) expect(await rowOf(place)).not.toMatchObject({ state: 'closed' });
  });
});

test('those that have ever opened are listed', async () => {
  const place = newPlace();
  const never = newPlace();
  await inTransaction(ledger.database, (transaction) => beginProbe(transaction, { ...never, probe: 'gen_probe/1' }));
  await fail(place, 3);
  const listed = await listBreakers(ledger.database);
  expect(listed.find(({ model }) => model === place.model)).toMatchObject({
    ...place,
    ...{ state: 'open', openings: 1, openUntil: expect.any(Date), changedAt: expect.any(Date) },
  });
  expect(listed.map(({ model }) => model)).not.toContain(never.model);
});

import fc from 'fast-check';
import { memorySeconds, type BreakerPolicy, type Tally } from '../../src/domain/breaker';
import { readTally, recordNews, type BreakerPlace } from '../../src/stores/breakers';
import { databaseNow, insertSends, newPlace } from './breaker-bench';
import { accept, openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

const policy: BreakerPolicy = { failures: 3, ratio: 0.5, minimumCount: 8, windowSeconds: 60, openSeconds: 30 };

const rowOf = (place: BreakerPlace) =>
  ledger.database.breaker.findUnique({ where: { provider_model_credential: place } });

describe('work that was accepted', () => {
  const look = (place: BreakerPlace) =>
    recordNews(ledger.database, place, { news: { verdict: 'fault', attempt: null, of: 'work' }, policy });

  type Work = { status: string; isFault?: boolean; endedAgoMs?: number; epoch?: number };

  const work = async (place: BreakerPlace, { status, isFault = false, endedAgoMs = 0, epoch = 1 }: Work) => {
    const generationId = await accept(ledger.database);
    const endedAt =
      status === 'submitted' ? null : new Date((await databaseNow(ledger.database)).getTime() - endedAgoMs);
    const latencyMs = isFault ? 300_000 - endedAgoMs : 20;
    await insertSends(ledger.database, place, [{ generationId, agoMs: 300_000, latencyMs, isFault }]);
    const { provider, model, credential } = place;
    const row = { generationId, number: 1, epoch, provider, model, credential, status, endedAt };
    await ledger.database.attempt.create({ data: { ...row, priceVersion: 'made up' } });
  };

  test('and fails by its fault is none of its sends', async () => {
    const place = newPlace();
    for (const endedAgoMs of [3_000, 2_000, 1_000]) await work(place, { status: 'failed', isFault: true, endedAgoMs });
    const tally = await readTally(ledger.database, place, { of: 'sends', since: new Date(0), windowSeconds: 600 });
    expect(tally).toEqual({ count: 0, faults: 0, inARow: 0 });
  });

  test('and fails by its fault opens a provider that accepts all', async () => {
    const place = newPlace();
    await work(place, { status: 'failed', isFault: true, endedAgoMs: 3_000 });
    await work(place, { status: 'submitted', isFault: true, endedAgoMs: 2_000 });
    await insertSends(ledger.database, place, [{}, {}, {}]);
    await look(place);
    expect(await rowOf(place)).toBeNull();
    await work(place, { status: 'failed', isFault: true, endedAgoMs: 1_000 });
    await look(place);
    expect(await rowOf(place)).toMatchObject({ state: 'open' });
  });

  test.each<[string, Work]>([
    ['succeeds', { status: 'succeeded' }],
    ['succeeds after all', { status: 'succeeded', isFault: true }],
    ['fails by its own', { status: 'failed' }],
  ])('and %s ends a row of faults', async (_how, good) => {
    const place = newPlace();
    for (const endedAgoMs of [4_000, 3_000]) await work(place, { status: 'failed', isFault: true, endedAgoMs });
    await work(place, { ...good, endedAgoMs: 2_000 });
    await work(place, { status: 'failed', isFault: true, endedAgoMs: 1_000 });
    await look(place);
    expect(await rowOf(place)).toBeNull();
  });

  test.each<[string, Work]>([
    ['was cancelled', { status: 'canceled', isFault: true }],
    ['another attempt took over', { status: 'superseded', isFault: true }],
    ['was sent once more', { status: 'failed', isFault: true, epoch: 2 }],
    ['is still running', { status: 'submitted' }],
  ])('and %s says nothing', async (_what, other) => {
    const place = newPlace();
    for (const endedAgoMs of [5_000, 4_000]) await work(place, { status: 'failed', isFault: true, endedAgoMs });
    await work(place, { ...other, endedAgoMs: 3_000 });
    await look(place);
    expect(await rowOf(place)).toBeNull();
    await work(place, { status: 'failed', isFault: true, endedAgoMs: 1_000 });
    await look(place);
    expect(await rowOf(place)).toMatchObject({ state: 'open' });
  });
});

describe('the count of answers', () => {
  const sentOf = fc.record({
    // never near the edge of a window: time goes by while we look
    agoMs: fc.oneof(
      fc.integer({ min: 1_000, max: 50_000 }),
      fc.integer({ min: 130_000, max: 3_500_000 }),
      fc.integer({ min: 3_700_000, max: 9_000_000 }),
    ),
    tookShare: fc.constantFrom(0.001, 0.999),
    outcome: fc.constantFrom('accepted', 'provider_timeout', 'provider_rate_limited', 'caller_invalid_request', null),
  });

  test('is that of the plainest counting', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sentOf, { maxLength: 25, size: 'max' }), async (drawn) => {
        const place = newPlace();
        const from = await databaseNow(ledger.database);
        const sends = drawn.map(({ outcome, agoMs, tookShare }, index) => ({
          outcome,
          from,
          isFault: outcome === 'provider_timeout',
          // no two answers in the same instant
          agoMs: agoMs + 10 * index,
          latencyMs: Math.round(agoMs * tookShare),
        }));
        await insertSends(ledger.database, place, sends);
        const told = sends
          .filter(({ outcome }) => outcome !== null && outcome !== 'provider_rate_limited')
          .filter(({ agoMs }) => agoMs < memorySeconds * 1000)
          .map(({ isFault, agoMs, latencyMs }) => ({ isFault, agoMs: agoMs - latencyMs }))
          .sort((left, right) => left.agoMs - right.agoMs);
        const rolling = told.filter(({ agoMs }) => agoMs < 60_000);
        const firstGood = told.findIndex(({ isFault }) => !isFault);
        const expected: Tally = {
          count: rolling.length,
          faults: rolling.filter(({ isFault }) => isFault).length,
          inARow: firstGood === -1 ? told.length : firstGood,
        };
        const tally = await readTally(ledger.database, place, { of: 'sends', since: new Date(0), windowSeconds: 60 });
        expect(tally).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

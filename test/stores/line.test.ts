import { releaseAttempt } from '../../src/stores/attempt-take';
import {
  recordAnswer,
  recordEnding,
  recordNotAccepted,
  recordSubmitted,
  type AttemptKey,
} from '../../src/stores/attempts';
import { inTransaction, type Database } from '../../src/stores/database';
import { findGeneration, publishChange } from '../../src/stores/generations';
import { createTenant } from '../../src/stores/tenants';
import { leaveLine, listWaitingModels, readPlace, readQueues, waitInLine } from '../../src/stores/turns';
import {
  acceptance,
  beginCrowd,
  beginWith,
  headsIn,
  joinLineOf,
  openLedger,
  placeAll,
  plan,
  result,
  take,
  tenantId,
  turnOf,
  type Ledger,
} from './ledger';
import { ageTurn, lineUp, record, setQueue } from './line';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
  await createTenant(database, { id: 'ten_heavy', name: 'heavy', weight: 4 });
});
afterAll(() => ledger.close());

beforeEach(async () => {
  await database.turn.deleteMany();
  await database.queue.deleteMany();
});

const ms = 1_000;

const tagOf = async (key: AttemptKey): Promise<number | undefined> => (await turnOf(database, key))?.tag;

describe('the place of a newcomer', () => {
  test('is a share after whoever was served last, and after the last of its own', async () => {
    await setQueue(database, [0, 7, 0]);
    const tags = [];
    for (const tenant of [tenantId, tenantId, 'ten_heavy', 'ten_heavy', tenantId])
      tags.push(await tagOf(await lineUp(database, { tenant })));
    expect(tags).toEqual([8, 9, 7.25, 7.5, 10]);
  });

  test('is counted of each priority and provider apart', async () => {
    await setQueue(database, [3, 7, 0]);
    const tags = [];
    for (const priority of [0, 0, 1, 2]) tags.push(await tagOf(await lineUp(database, { priority })));
    tags.push(await tagOf(await lineUp(database, { model: 'brick/reel' })));
    expect(tags).toEqual([4, 5, 8, 1, 1]);
  });

  test('is one of its own, however many of a tenant come at once', async () => {
    const crowd = await beginCrowd(database, 60);
    await Promise.all(crowd.map((key) => joinLineOf(database, key)));
    await Promise.all([1, 2, 3].map(() => placeAll(database)));
    const tags = (await database.turn.findMany({ select: { tag: true }, orderBy: { tag: 'asc' } })).map(
      ({ tag }) => tag,
    );
    expect(tags).toEqual(Array.from({ length: 60 }, (_none, index) => index + 1));
  });

  test('that was served before, and not accepted, is before all that were not', async () => {
    await setQueue(database, [0, 40, 0]);
    await lineUp(database);
    expect(await tagOf(await lineUp(database, { returns: true }))).toBe(0);
    expect(await tagOf(await lineUp(database))).toBe(42);
  });

  test('is not known before the next round, which gives nobody a turn without one', async () => {
    const key = await beginWith(database);
    await joinLineOf(database, key);
    const heads = () => headsIn(database, ['acme/clip']);
    expect(await heads()).toEqual([]);
    await placeAll(database);
    expect(await heads()).toMatchObject([{ ...key, tag: 1 }]);
  });

  test('behind a crowd is right after whoever is served now', async () => {
    await setQueue(database, [0, 17, 0]);
    await database.turn.createMany({
      data: (await beginCrowd(database, 2_000)).map((key, index) => ({
        ...{ ...key, provider: 'acme', model: 'acme/clip', tenantId, priority: 1, tag: index + 18 },
      })),
    });
    await createTenant(database, { id: 'ten_late', name: 'late', weight: 1 });
    const late = [await lineUp(database, { tenant: 'ten_late' }), await lineUp(database, { tenant: 'ten_late' })];
    const heavy = [await lineUp(database, { tenant: 'ten_heavy' }), await lineUp(database, { tenant: 'ten_heavy' })];
    expect(await Promise.all([...late, ...heavy].map(tagOf))).toEqual([18, 19, 17.25, 17.5]);
    expect(await readPlace(database, late[1] as AttemptKey)).toMatchObject({ place: 6 });
  });
});

describe('who is in line', () => {
  test('keeps its place when it asks again, and is told no more', async () => {
    const key = await lineUp(database);
    await lineUp(database);
    const before = await turnOf(database, key);
    await record(database, [key]);
    expect((await turnOf(database, key))?.toldAt).not.toBeNull();
    expect(await joinLineOf(database, key, { priority: 2, tokens: 5 })).toEqual({ credential: 'main' });
    expect(await turnOf(database, key)).toMatchObject({
      ...{ tag: before?.tag, since: before?.since, priority: 1, toldAt: null, credential: 'main' },
    });
  });

  test('comes late for its turn: it is kept for it, so that it can still be used', async () => {
    const key = await lineUp(database);
    await record(database, [key]);
    await ageTurn(database, key, 45);
    expect(await joinLineOf(database, key)).toEqual({ credential: 'main' });
    expect((await turnOf(database, key))?.leaseUntil?.getTime()).toBeGreaterThan(Date.now() + 50 * ms);
  });

  test.each([
    ['too late to be sent with it', 52],
    ['after it has run out', 61],
  ])('comes for its turn %s: it waits, at its place', async (_name, seconds) => {
    const key = await lineUp(database);
    const { tag } = (await turnOf(database, key)) as { tag: number };
    await record(database, [key]);
    await ageTurn(database, key, seconds);
    expect(await joinLineOf(database, key)).toEqual({ credential: null });
    expect(await waitInLine(database, key)).toEqual({ credential: null });
    expect(await headsIn(database, ['acme/clip'])).toMatchObject([{ generationId: key.generationId, tag }]);
  });

  test('leaves it for good', async () => {
    const [left, stays] = [await lineUp(database), await lineUp(database)];
    await leaveLine(database, left);
    expect(await waitInLine(database, left)).toBeNull();
    expect(await waitInLine(database, stays)).toEqual({ credential: null });
  });

  const leaving: Record<string, (key: AttemptKey) => Promise<unknown>> = {
    'is cancelled': (key) => releaseAttempt(database, key),
    'is replaced by a later attempt': ({ generationId }) => plan(database, generationId),
    'is refused by ourselves': (key) =>
      recordEnding(database, key, {
        ...{ status: 'rejected', code: 'policy_no_capacity', message: 'full', costUsd: '0', from: ['planned'] },
      }),
  };

  test.each(Object.keys(leaving))('leaves it when it %s', async (name) => {
    const key = await lineUp(database);
    await leaving[name]?.(key);
    expect(await waitInLine(database, key)).toBeNull();
  });

  const answering: Record<string, (key: AttemptKey) => Promise<unknown>> = {
    'it was taken': (key) => recordSubmitted(database, key, acceptance()),
    'its result': (key) => recordAnswer(database, { ...key, epoch: 1 }, result()),
  };

  test.each(Object.keys(answering))('leaves it when an answer comes after all: %s', async (name) => {
    const key = await beginWith(database);
    await take(database, key);
    const busy = { code: 'provider_overloaded', message: 'busy', counts: true, epoch: 1 } as const;
    await recordNotAccepted(database, key, busy);
    await joinLineOf(database, key);
    await answering[name]?.(key);
    expect(await waitInLine(database, key)).toBeNull();
  });
});

describe('those who wait', () => {
  test('are read by model: the next in order, and those that wait longest', async () => {
    const old = await lineUp(database, { priority: 2 });
    await lineUp(database, { priority: 2 });
    const next = [
      await lineUp(database, { priority: 0 }),
      await lineUp(database, { priority: 0 }),
      await lineUp(database, { priority: 1 }),
    ];
    const film = await lineUp(database, { model: 'acme/film' });
    const heads = await headsIn(database, ['acme/clip', 'acme/film', 'acme/none'], 3);
    const wanted = [old, ...next, film].map(({ generationId }) => generationId);
    expect(heads.map(({ generationId }) => generationId).sort()).toEqual(wanted.sort());
    expect(heads.find(({ model }) => model === 'acme/film')).toMatchObject({
      priority: 1,
      tag: 2,
      tokens: 0,
      costUsd: 0.04,
    });
  });

  test('are those without a turn, or whose turn has run out; the key that refused them is named', async () => {
    const [given, late, again] = [await lineUp(database), await lineUp(database), await beginWith(database)];
    await take(database, again);
    await recordNotAccepted(database, again, { code: 'provider_auth', message: 'no', counts: false, epoch: 1 });
    await joinLineOf(database, again, { tokens: 12 });
    await placeAll(database);
    await record(database, [given, late]);
    await ageTurn(database, late, 61);
    const heads = await headsIn(database, ['acme/clip'], 10);
    const seen = heads.map(({ generationId, avoid, tokens }) => ({ generationId, avoid, tokens }));
    expect(seen).toHaveLength(2);
    expect(seen).toContainEqual({ generationId: late.generationId, avoid: null, tokens: 0 });
    expect(seen).toContainEqual({ generationId: again.generationId, avoid: 'main', tokens: 12 });
  });

  test('are listed by model and by priority', async () => {
    await setQueue(database, [0, 0, 0]);
    for (const model of ['acme/film', 'acme/clip', 'brick/reel', 'acme/clip']) await lineUp(database, { model });
    await lineUp(database, { priority: 0 });
    await record(database, [await lineUp(database)]);
    expect(await inTransaction(database, (transaction) => listWaitingModels(transaction, 'acme'))).toEqual([
      'acme/clip',
      'acme/film',
    ]);
    expect((await readQueues(database)).filter((queue) => queue.provider === 'acme')).toMatchObject([
      {
        provider: 'acme',
        waiting: [
          { model: 'acme/clip', priority: 0, count: 1 },
          { model: 'acme/clip', priority: 1, count: 2 },
          { model: 'acme/film', priority: 1, count: 1 },
        ],
      },
    ]);
  });

  test('know their place among those of their model, and nothing of it once it is their turn', async () => {
    await setQueue(database, [0, 0, 0]);
    const keys = [
      await lineUp(database, { priority: 2 }),
      await lineUp(database),
      await lineUp(database),
      await lineUp(database, { model: 'acme/film' }),
    ] as const;
    const places = async () => Promise.all(keys.map(async (key) => (await readPlace(database, key))?.place ?? null));
    expect(await places()).toEqual([3, 1, 2, 1]);
    await record(database, [keys[1]]);
    expect(await places()).toEqual([2, null, 1, 1]);
  });

  test('show their place and the time they wait for; not once it is their turn', async () => {
    await setQueue(database, [0, 0, 0]);
    const [first, second] = [await lineUp(database), await lineUp(database)];
    const readyAt = new Date(Date.now() + 60 * ms).toISOString();
    await database.queue.update({
      where: { provider: 'acme' },
      data: { paces: { 'acme/clip': { readyAt, perTurnMs: 30_000, isResting: false } } },
    });
    const queueOf = async ({ generationId }: AttemptKey) => {
      await publishChange(database, generationId, () => ({ phase: 'waiting_for_capacity' }));
      return (await findGeneration(database, tenantId, generationId))?.queue;
    };
    expect(await queueOf(second)).toMatchObject({ position: 2 });
    expect((await queueOf(second))?.expectedSeconds).toBeGreaterThan(80);
    expect((await queueOf(second))?.expectedSeconds).toBeLessThanOrEqual(90);
    await record(database, [first]);
    expect(await queueOf(first)).toBeNull();
    expect(await queueOf(second)).toMatchObject({ position: 1 });
  });
});

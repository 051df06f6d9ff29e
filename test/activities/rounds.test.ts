import { giveOn, giveOnAll, startDispatcher } from '../../src/activities/rounds';
import type { AttemptKey } from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { createTenant } from '../../src/stores/tenants';
import { nameOf, pauseQueue, resumeQueue } from '../../src/stores/turns';
import { beginCrowd, joinLineOf, tenantId, turnOf } from '../stores/ledger';
import {
  ask,
  countHeld,
  finish,
  idsOf,
  lineUpMany,
  openRounds,
  provider,
  send,
  until,
  type RoundsBench,
} from './rounds-bench';

let bench: RoundsBench;
let database: Database;

beforeAll(async () => {
  bench = await openRounds();
  database = bench.database;
});
afterAll(() => bench.close());
beforeEach(() => bench.clear());

const announceKeys = (aliases: readonly string[]) =>
  database.providerCredential.createMany({
    data: aliases.map((alias) => ({ provider, alias, source: 'environment', print: alias })),
  });

/** As they stand after they came one after the other. */
const lineUpCrowd = async (count: number): Promise<AttemptKey[]> => {
  const keys = await beginCrowd(database, count);
  const place = { provider, model: 'acme/clip', tenantId, priority: 1 };
  const sinceMs = Date.now() - 3_600_000;
  await database.turn.createMany({
    data: keys.map((key, index) => ({ ...key, ...place, tag: index + 1, since: new Date(sinceMs + index) })),
  });
  return keys;
};

describe('a turn', () => {
  test('whose process died before it told is told by another one', async () => {
    bench.limit({ ofKey: { jobsInFlight: 1 } });
    const told: string[] = [];
    const dying = bench.startProcess(() => Promise.reject(new Error('gone down')), ['a']);
    const living = bench.startProcess((key) => {
      told.push(nameOf(key));
      return Promise.resolve('told');
    });
    const [first, second] = (await beginCrowd(database, 2)) as [AttemptKey, AttemptKey];
    expect(await ask(dying, first)).toEqual({ kind: 'turn', credential: 'a' });
    expect(await ask(dying, second)).toMatchObject({ kind: 'step' });
    await send(database, first, 'a');
    await finish(database, first);
    await giveOnAll(dying, { due: false });
    expect(await turnOf(database, second)).toMatchObject({ credential: 'a' });
    const stop = startDispatcher(living);
    await until(() => told.includes(nameOf(second)));
    await stop();
    expect(await ask(living, second)).toEqual({ kind: 'turn', credential: 'a' });
  });

  test('whose process died before it sent is found by whoever tries again', async () => {
    bench.limit({ ofKey: { jobsInFlight: 1 } });
    const [key] = (await beginCrowd(database, 1)) as [AttemptKey];
    await joinLineOf(database, key);
    expect(await giveOn(bench.startProcess(), provider)).toHaveLength(1);
    expect(await turnOf(database, key)).toMatchObject({ toldAt: null });
    expect(await ask(bench.startProcess(), key)).toEqual({ kind: 'turn', credential: 'a' });
    expect(await countHeld(database)).toEqual([1]);
  });

  test('that nobody uses goes to the next one when it has run out', async () => {
    bench.limit({ ofKey: { jobsInFlight: 1 } });
    const process = bench.startProcess(undefined, ['a']);
    const [lost, next] = (await lineUpMany(database, 2)) as [AttemptKey, AttemptKey];
    expect(idsOf(await giveOn(process, provider))).toEqual([lost.generationId]);
    await database.turn.updateMany({ where: lost, data: { leaseUntil: new Date(Date.now() - 1), priority: 2 } });
    expect(idsOf(await giveOn(process, provider))).toEqual([next.generationId]);
  });

  test('of a workflow that is gone leaves the line', async () => {
    const process = bench.startProcess(() => Promise.resolve('gone'));
    const [key] = (await lineUpMany(database, 1)) as [AttemptKey];
    await giveOn(process, provider);
    await until(async () => (await turnOf(database, key)) === null);
  });

  test('goes to those of each model that has room, however many wait for another', async () => {
    bench.limit({ ofModels: { 'acme/film': { jobsInFlight: 1 } } });
    const process = bench.startProcess(undefined, ['a']);
    await lineUpCrowd(130);
    const [film] = (await lineUpMany(database, 2, { model: 'acme/film' })) as [AttemptKey];
    expect(idsOf(await giveOn(process, provider))).toContain(film.generationId);
    // more wait than are read at once: the next looks do not wait
    await giveOnAll(process, { due: true });
    await giveOnAll(process, { due: true });
    expect(await database.turn.count({ where: { credential: null } })).toBe(1);
    const { nextAt } = await database.queue.findUniqueOrThrow({ where: { provider } });
    expect(nextAt?.getTime()).toBeGreaterThan(Date.now());
  });

  test('goes to tenants by their weight, behind however large a crowd', async () => {
    bench.limit({ ofKey: { jobsInFlight: 10 } });
    await createTenant(database, { id: 'ten_three', name: 'three', weight: 3 });
    const crowd = new Set((await lineUpCrowd(2_000)).map(nameOf));
    const process = bench.startProcess(undefined, ['a']);
    const order: string[] = [];
    const round = async (): Promise<void> => {
      const given = await giveOn(process, provider);
      order.push(...given.map(({ turn }) => (crowd.has(nameOf(turn)) ? 'crowd' : 'comer')));
      await database.turn.deleteMany({ where: { generationId: { in: idsOf(given) } } });
    };
    await round();
    await lineUpMany(database, 40, { tenant: 'ten_three' });
    for (let count = 0; count < 4; count += 1) await round();
    expect(order.slice(0, 10)).toEqual(Array<string>(10).fill('crowd'));
    const served = order.slice(10).filter((who) => who === 'comer').length;
    expect([28, 29, 30, 31, 32]).toContain(served);
    expect(order.slice(10, 18).filter((who) => who === 'comer').length).toBeGreaterThanOrEqual(5);
  });

  test('given for its age alone does not send newcomers behind all that waits', async () => {
    bench.limit({ ofKey: { jobsInFlight: 1 }, ofModels: { 'acme/film': { jobsInFlight: 1 } } });
    await createTenant(database, { id: 'ten_late', name: 'late', weight: 1 });
    await createTenant(database, { id: 'ten_other', name: 'other', weight: 1 });
    const process = bench.startProcess(undefined, ['a']);
    // its films are far behind: so is its clip, by its share
    await lineUpMany(database, 20, { model: 'acme/film' });
    const [oldest] = (await lineUpMany(database, 1)) as [AttemptKey];
    await lineUpMany(database, 5, { tenant: 'ten_other' });
    await pauseQueue(database, provider, 'wait');
    expect(await giveOn(process, provider)).toEqual([]);
    await database.turn.updateMany({ where: oldest, data: { since: new Date(Date.now() - 60_000) } });
    await database.queue.update({ where: { provider }, data: { pausedAt: null, given: 9 } });
    expect(idsOf(await giveOn(process, provider))).toEqual([oldest.generationId]);
    const [late] = (await lineUpMany(database, 1, { tenant: 'ten_late' })) as [AttemptKey];
    expect(await giveOn(process, provider)).toEqual([]);
    expect((await turnOf(database, late))?.tag).toBe(1);
  });
});

describe('keys', () => {
  test('in rotation are used equally often, however many turns a round gives', async () => {
    await announceKeys(['a', 'b', 'c']);
    const process = bench.startProcess(undefined, ['a', 'b', 'c']);
    const used: string[] = [];
    for (let count = 0; count < 9; count += 1) {
      await lineUpMany(database, 2);
      used.push(...(await giveOn(process, provider)).map(({ alias }) => alias));
    }
    expect(['a', 'b', 'c'].map((alias) => used.filter((one) => one === alias).length)).toEqual([6, 6, 6]);
  });

  test('that are paused or switched off are not used; nor are those of a provider that is paused', async () => {
    await announceKeys(['a', 'b', 'c']);
    const process = bench.startProcess(undefined, ['a', 'b', 'c']);
    const change = (alias: string, data: object) => database.providerCredential.updateMany({ where: { alias }, data });
    await change('a', { pausedUntil: new Date(Date.now() + 60_000) });
    await change('b', { disabledBy: 'operator' });
    await lineUpMany(database, 3);
    await pauseQueue(database, provider, 'wait');
    expect(await giveOn(process, provider)).toEqual([]);
    await resumeQueue(database, provider);
    await giveOnAll(process, { due: true });
    const given = await database.turn.findMany({ where: { credential: { not: null } } });
    expect(given.map(({ credential }) => credential)).toEqual(['c', 'c', 'c']);
  });

  test('whose breaker is open are tried by one, when its time has come', async () => {
    const place = { provider, model: 'acme/clip', credential: 'a', openings: 1, changedAt: new Date() };
    await database.breaker.create({ data: { ...place, state: 'open', openUntil: new Date(Date.now() + 60_000) } });
    const process = bench.startProcess(undefined, ['a']);
    const [first] = (await lineUpMany(database, 3)) as [AttemptKey];
    expect(await giveOn(process, provider)).toEqual([]);
    await database.breaker.updateMany({ data: { openUntil: new Date(Date.now() - 1) } });
    expect(await giveOn(process, provider)).toMatchObject([{ turn: first, isProbe: true }]);
    expect(await database.breaker.findMany()).toMatchObject([{ state: 'half_open', probe: nameOf(first) }]);
    expect(await giveOn(process, provider)).toEqual([]);
  });
});

describe('those who wait while', () => {
  const untold = async (): Promise<number> => database.turn.count({ where: { toldAt: new Date(0) } });

  test('every key begins to rest for long are sent to look elsewhere, once', async () => {
    bench.limit({ ofKey: { jobsInFlight: 1 } });
    await announceKeys(['a']);
    const process = bench.startProcess(undefined, ['a']);
    await lineUpMany(database, 3);
    await giveOn(process, provider);
    expect(await untold()).toBe(0);
    const rest = (ms: number) =>
      database.providerCredential.updateMany({ data: { pausedUntil: new Date(Date.now() + ms) } });
    await rest(5_000);
    await giveOn(process, provider);
    expect(await untold()).toBe(0);
    await rest(3_600_000);
    await giveOn(process, provider);
    expect(await untold()).toBe(2);
    await database.turn.updateMany({ data: { toldAt: null } });
    await giveOn(process, provider);
    expect(await untold()).toBe(0);
  });

  test('the last key goes are sent to look elsewhere', async () => {
    bench.limit({ ofKey: { jobsInFlight: 1 } });
    await announceKeys(['a']);
    const process = bench.startProcess(undefined, ['a']);
    await lineUpMany(database, 3);
    await giveOn(process, provider);
    await database.providerCredential.updateMany({ data: { disabledBy: 'operator' } });
    await giveOn(process, provider);
    expect(await untold()).toBe(2);
  });
});

test('every tenth turn goes to the one that waits longest, over rounds', async () => {
  bench.limit({ ofKey: { jobsInFlight: 1 } });
  const process = bench.startProcess(undefined, ['a']);
  const [low] = (await lineUpMany(database, 1, { priority: 2 })) as [AttemptKey];
  await database.turn.updateMany({ where: low, data: { since: new Date(Date.now() - 7_200_000) } });
  await lineUpCrowd(70);
  const order: string[] = [];
  for (let count = 0; count < 10; count += 1) {
    const ids = idsOf(await giveOn(process, provider));
    order.push(...ids);
    await database.turn.deleteMany({ where: { generationId: { in: ids } } });
  }
  expect(order.indexOf(low.generationId)).toBe(9);
});

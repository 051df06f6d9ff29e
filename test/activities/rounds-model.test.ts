import fc from 'fast-check';
import { giveOn } from '../../src/activities/rounds';
import type { Dependencies } from '../../src/activities/dependencies';
import { unlimited, type LimitKind } from '../../src/domain/limits';
import { Prisma } from '../../src/stores/generated/client';
import { takeAttempt } from '../../src/stores/attempt-take';
import { recordEnding, recordNotAccepted } from '../../src/stores/attempts';
import { deleteOverride, setOverride } from '../../src/stores/limit-overrides';
import { setEnabled } from '../../src/stores/provider-credentials';
import { createTenant } from '../../src/stores/tenants';
import { joinLine, leaveLine } from '../../src/stores/turns';
import { beginCrowd, makeSender } from '../stores/ledger';
import { openActivityBench, type ActivityBench } from '../support/activity-bench';
import { makeModel } from '../support/generation-data';
import {
  findOvershot,
  giveInWorld,
  holdsTurn,
  isInLine,
  joinWorld,
  type Member,
  type Rule,
  type World,
} from './turns-reference';

/**
 * Any run of what may happen around a queue, on a real database: after each step the turns given are those of the reference.
 * Time stands still but where it passes in steps of nine seconds: what was written is moved with the clock, so that no window
 * ends while a step takes its time.
 */
const stepSeconds = 9;

// neither a multiple of the step nor close behind one
const maximumSeconds = { 'acme/clip': 86, 'acme/film': 131 };
const weights = { ten_one: 1, ten_two: 2, ten_five: 5 };
const aliases = ['a', 'b', 'c'];
const models = Object.keys(maximumSeconds);
const membersEach = 24;

const configured: Rule[] = [
  { kind: 'jobs_in_flight', credential: null, model: null, most: 3 },
  { kind: 'requests_per_minute', credential: null, model: null, most: 5 },
  { kind: 'tokens_per_minute', credential: null, model: null, most: 50 },
  { kind: 'jobs_in_flight', credential: null, model: 'acme/film', most: 1 },
];

const limits = {
  key: { ...unlimited, jobsInFlight: 3, requestsPerMinute: 5, tokensPerMinute: 50 },
  models: { 'acme/film': { jobsInFlight: 1 } },
  cooldownSeconds: 30,
};

let bench: ActivityBench;
let dependencies: Dependencies;

beforeAll(async () => {
  bench = await openActivityBench(
    [],
    models.map((id) => makeModel({ id, maximumSeconds: maximumSeconds[id as keyof typeof maximumSeconds] })),
  );
  for (const [id, weight] of Object.entries(weights))
    await createTenant(bench.dependencies.database, { id, name: id, weight });
  dependencies = bench.another({
    settings: { ...bench.dependencies.settings, limitsOf: () => limits },
    credentials: { acme: aliases.map((alias) => ({ alias, secret: alias, baseUrl: null })) },
    // who is told is no part of this
    workflows: { ...bench.dependencies.workflows, giveTurn: () => Promise.resolve('told') },
  });
});
afterAll(() => bench.close());

type Real = { movedAtMs: number };
type Step = fc.AsyncCommand<World, Real>;

const nothing: Omit<Member, 'id' | 'model'> = {
  ...{ tenant: 'ten_one', priority: 1, tokens: 0, state: 'absent', tag: 0, joined: 0, alias: null },
  ...{ givenAt: 0, sentAt: 0, avoid: null },
};

const begin = async (): Promise<{ model: World; real: Real }> => {
  const { database } = dependencies;
  const used = ['turns', 'queues', 'sends', 'provider_credentials', 'limit_overrides', 'attempts'];
  for (const table of used) await database.$executeRawUnsafe(`DELETE FROM ${table}`);
  await database.providerCredential.createMany({
    data: aliases.map((alias) => ({ provider: 'acme', alias, source: 'environment', print: alias })),
  });
  const crowds = await Promise.all(
    models.map(async (model) => (await beginCrowd(database, membersEach, { model })).map((key) => ({ ...key, model }))),
  );
  const model: World = {
    ...{ clock: 0, sends: [], overrides: [], virtualTimes: [0, 0, 0], given: 0, uses: 0, joins: 0 },
    ...{ configured, weights, maximumSeconds },
    members: crowds.flat().map((member) => ({ ...nothing, id: member.generationId, model: member.model })),
    keys: aliases.map((alias) => ({ alias, isDisabled: false, pausedUntil: 0, lastUse: 0 })),
  };
  return { model, real: { movedAtMs: performance.now() } };
};

const keyOf = ({ id }: Member) => ({ generationId: id, number: 1 });

const join = async (world: World, members: readonly Member[], returns = false): Promise<void> => {
  const { database } = dependencies;
  for (const member of members) {
    joinWorld(world, member, returns);
    const { tenant: tenantId, model, priority, tokens } = member;
    const place = { ...keyOf(member), provider: 'acme', model, tenantId, priority, tokens };
    await joinLine(database, { ...place, returns });
  }
  await database.$executeRaw`
    UPDATE turns SET since = to_timestamp(j.joined) FROM unnest(${members.map(({ id }) => id)}::text[],
      ${members.map(({ joined }) => joined)}::float8[]) AS j(id, joined) WHERE generation_id = j.id`;
};

const move = (seconds: number) => {
  const by = Prisma.sql`make_interval(secs => ${seconds}::float8)`;
  return dependencies.database.$executeRaw`
    WITH sent AS (UPDATE sends SET at = at + ${by}),
      tried AS (UPDATE attempts SET sent_at = sent_at + ${by} WHERE sent_at IS NOT NULL),
      given AS (UPDATE turns SET lease_until = lease_until + ${by} WHERE lease_until IS NOT NULL)
    UPDATE provider_credentials SET paused_until = paused_until + ${by}, last_used_at = last_used_at + ${by}`;
};

/** One round here and there. */
const give = async (world: World): Promise<void> => {
  const told = giveInWorld(world);
  const given = await giveOn(dependencies, 'acme');
  expect(given.map(({ turn, alias }) => `${turn.generationId} ${alias}`).sort()).toEqual(told);
  expect(findOvershot(world, told)).toEqual([]);
  const { nextAt } = await dependencies.database.queue.findUniqueOrThrow({ where: { provider: 'acme' } });
  const isIdle = !world.members.some(({ state }) => state === 'waiting' || state === 'given');
  expect(nextAt === null).toBe(isIdle);
};

const makeStep = (
  name: string,
  run: (world: World) => Promise<void>,
  check: (world: World) => boolean = () => true,
): Step => ({
  check,
  toString: () => name,
  run: async (world, real) => {
    await run(world);
    await give(world);
    const nowMs = performance.now();
    await move((nowMs - real.movedAtMs) / 1000);
    real.movedAtMs = nowMs;
  },
});

/** One of those in this state; which one the step decides. */
const oneOf = (world: World, isFit: (member: Member) => boolean, index: number): Member | undefined => {
  const fitting = world.members.filter(isFit);
  return fitting[index % Math.max(1, fitting.length)];
};

const makeMemberStep = (
  name: string,
  { index, isFit }: { index: number; isFit: (world: World) => (member: Member) => boolean },
  run: (world: World, member: Member) => Promise<void>,
): Step =>
  makeStep(
    `${name}(${index})`,
    (world) => run(world, oneOf(world, isFit(world), index) as Member),
    (world) => oneOf(world, isFit(world), index) !== undefined,
  );

const is = (state: Member['state']) => () => (member: Member) => member.state === state;

const takeOne = async (world: World, member: Member): Promise<void> => {
  const { alias, tokens, model, givenAt } = member;
  const taken = await takeAttempt(dependencies.database, keyOf(member), makeSender({ credential: alias, tokens }));
  const isInTime = world.clock - givenAt < 50;
  expect(taken.kind).toBe(isInTime ? 'taken' : 'turnless');
  if (!isInTime) return;
  Object.assign(member, { state: 'sent', sentAt: world.clock });
  world.sends.push({ alias: alias as string, model, tokens, at: world.clock });
};

const take = (index: number): Step =>
  makeMemberStep('take', { index, isFit: is('given') }, async (world) => {
    const given = world.members.filter(is('given')());
    for (const member of given.slice(0, 1 + (index % 4))) await takeOne(world, member);
  });

const isDone = { code: 'provider_failed', message: 'done', costUsd: null, from: ['submitting'] } as const;

const end = (index: number, status: 'failed' | 'ambiguous'): Step =>
  makeMemberStep(status, { index, isFit: is('sent') }, async (_world, member) => {
    await recordEnding(dependencies.database, keyOf(member), { ...isDone, status });
    member.state = status === 'failed' ? 'ended' : 'lost';
  });

const refuse = (index: number): Step =>
  makeMemberStep('refuse', { index, isFit: is('sent') }, async (world, member) => {
    const { epoch } = await dependencies.database.attempt.findFirstOrThrow({ where: keyOf(member) });
    const refusal = { code: 'provider_rate_limited', message: 'slow', counts: false, epoch } as const;
    await recordNotAccepted(dependencies.database, keyOf(member), refusal);
    member.avoid = member.alias;
    await join(world, [member], true);
  });

const leave = (index: number): Step =>
  makeMemberStep(
    'leave',
    { index, isFit: (world) => (member) => isInLine(world, member) || holdsTurn(world, member) },
    async (_world, member) => {
      await leaveLine(dependencies.database, keyOf(member));
      member.state = 'ended';
    },
  );

type Asked = Pick<Member, 'tenant' | 'model' | 'priority' | 'tokens'>;

const newcomer: fc.Arbitrary<Asked> = fc.record({
  tenant: fc.constantFrom(...Object.keys(weights)),
  model: fc.constantFrom(...models),
  priority: fc.integer({ min: 0, max: 2 }),
  tokens: fc.constantFrom(0, 0, 10, 30, 70),
});

const comeIn = (asked: Asked[]): Step =>
  makeStep(`join(${JSON.stringify(asked)})`, async (world) => {
    const absent = world.members.filter(({ state }) => state === 'absent');
    const comers = asked.flatMap(({ model, ...how }) => {
      const at = absent.findIndex((member) => member.model === model);
      return absent.splice(at, at === -1 ? 0 : 1).map((member) => Object.assign(member, how));
    });
    await join(world, comers);
  });

const pass = (steps: number): Step =>
  makeStep(`pass(${steps * stepSeconds} s)`, async (world) => {
    world.clock += steps * stepSeconds;
    await move(-steps * stepSeconds);
  });

const pause = (alias: string, steps: number): Step =>
  makeStep(`pause(${alias}, ${steps})`, async (world) => {
    const seconds = steps * stepSeconds + 6;
    const key = world.keys.find((one) => one.alias === alias);
    if (key) key.pausedUntil = world.clock + seconds;
    await dependencies.database.$executeRaw`
      UPDATE provider_credentials SET paused_until = clock_timestamp() + make_interval(secs => ${seconds}::float8)
      WHERE alias = ${alias}`;
  });

/** One at most is switched off. */
const turnOff = (alias: string | null): Step =>
  makeStep(`switch off ${alias}`, async (world) => {
    for (const key of world.keys) {
      key.isDisabled = key.alias === alias;
      // whoever switches a key on wants it used
      if (!key.isDisabled) key.pausedUntil = world.clock;
      await setEnabled(dependencies.database, { provider: 'acme', alias: key.alias }, !key.isDisabled);
    }
  });

const anyRule = fc.record({
  kind: fc.constantFrom<LimitKind>('jobs_in_flight', 'requests_per_minute', 'tokens_per_minute'),
  credential: fc.constantFrom(null, 'a', 'b'),
  model: fc.constantFrom(null, ...models),
  most: fc.constantFrom(null, 1, 2, 4, 40),
});

const isSame = (left: Rule, right: Rule): boolean =>
  left.kind === right.kind && left.credential === right.credential && left.model === right.model;

const override = ({ most, ...name }: Rule): Step =>
  makeStep(`override(${JSON.stringify({ ...name, most })})`, async (world) => {
    world.overrides.push({ ...name, most });
    await setOverride(dependencies.database, { provider: 'acme', ...name, most: most === null ? null : String(most) });
  });

const restore = (name: Rule): Step =>
  makeStep(`restore(${JSON.stringify(name)})`, async (world) => {
    world.overrides = world.overrides.filter((rule) => !isSame(rule, name));
    const { most: _most, ...place } = name;
    await deleteOverride(dependencies.database, { provider: 'acme', ...place });
  });

const index = fc.nat({ max: 30 });
const alias = fc.constantFrom(...aliases);

const steps = fc.commands<World, Real, false>(
  [
    ...Array<fc.Arbitrary<Step>>(4).fill(fc.array(newcomer, { minLength: 2, maxLength: 8 }).map(comeIn)),
    ...Array<fc.Arbitrary<Step>>(6).fill(index.map(take)),
    index.map((one) => end(one, 'failed')),
    index.map((one) => end(one, 'failed')),
    index.map((one) => end(one, 'ambiguous')),
    index.map(refuse),
    index.map(leave),
    fc.constantFrom(1, 2, 5, 7, 12).map(pass),
    fc.tuple(alias, fc.constantFrom(0, 1, 6)).map(([name, length]) => pause(name, length)),
    fc.option(alias).map(turnOff),
    anyRule.map(override),
    anyRule.map(restore),
  ],
  { size: 'max', maxCommands: 40 },
);

test('whatever happens around a queue, those are given turns who would be by counting everything again', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const state = await begin();
      await fc.asyncModelRun(() => state, commands);
    }),
    { numRuns: 40, interruptAfterTimeLimit: 25_000 },
  );
}, 60_000);

import type { Dependencies, WorkflowPort } from '../../src/activities/dependencies';
import { reconcileGenerations } from '../../src/activities/reconciliation';
import type { AttemptKey } from '../../src/stores/attempts';
import { publishChange, readGeneration } from '../../src/stores/generations';
import { recordCallback } from '../../src/stores/provider-callbacks';
import { accept, begin, eventsOf, next, plan, setStatus } from '../stores/ledger';
import { openRecoveryBench, type RecoveryBench } from '../support/recovery-bench';

let bench: RecoveryBench;
let doors: RecoveryBench['doors'];
let database: Dependencies['database'];
/** What the workflow service was told. */
let told: string[];
/** What the workflow service says; the test changes what it means. */
let service: WorkflowPort;

beforeAll(async () => {
  bench = await openRecoveryBench();
  ({ doors } = bench);
  ({ database } = bench.dependencies);
});

afterAll(() => bench.close());

beforeEach(async () => {
  bench.reset();
  told = [];
  await database.$executeRaw`TRUNCATE generations CASCADE`;
  const note = <Answer>(what: string, id: string, answer: Answer): Promise<Answer> => {
    told.push(`${what} ${id}`);
    return Promise.resolve(answer);
  };
  service = {
    start: ({ id }) => note('start', id, 'started'),
    cancel: (id) => note('cancel', id, undefined),
    resolve: (id) => note('resolve', id, undefined),
    giveTurn: ({ generationId }) => note('turn', generationId, 'told'),
    isClosed: (id) => note('ask', id, false),
    watch: ({ generationId, number }) => note('watch', `${generationId}-${number}`, 'started'),
  };
});

const sweep = (changed: Partial<WorkflowPort> = {}) =>
  bench.run(() => reconcileGenerations({ ...bench.dependencies, workflows: { ...service, ...changed } }));

const nothing = { started: 0, canceled: 0, closed: 0, watched: 0, recovered: 0, resolved: 0, failed: 0 };

const repairsOf = async (generationId: string) =>
  (await eventsOf(database, generationId)).flatMap(({ type, data }) =>
    type === 'generation.repair' ? [(data as { repair: string }).repair] : [],
  );

const statusOf = async (id: string) => (await readGeneration(database, id)).status;

/** Accepted a while ago, and never begun. */
const forgotten = async (): Promise<string> => {
  const id = await accept(database);
  await database.$executeRaw`UPDATE generations SET created_at = now() - interval '10 seconds' WHERE id = ${id}`;
  return id;
};

/** Begun, and silent since. */
const silent = async (): Promise<string> => {
  const id = await begin(database);
  await database.$executeRaw`UPDATE events SET at = now() - interval '2 minutes' WHERE generation_id = ${id}`;
  return id;
};

const endedLongAgo = async ({ generationId }: AttemptKey): Promise<void> => {
  await publishChange(database, generationId, () => ({ status: 'canceled' }));
  await database.$executeRaw`
    UPDATE generations SET completed_at = now() - interval '10 seconds' WHERE id = ${generationId}`;
};

const submittedLongAgo = ({ generationId, number }: AttemptKey) => database.$executeRaw`
  UPDATE attempts SET submitted_at = now() - interval '10 seconds'
  WHERE generation_id = ${generationId} AND number = ${number}`;

const hold = (generationId: string, heldAt: Date): Promise<void> =>
  publishChange(database, generationId, () => ({ heldAt }));

/** A lost answer that waits for a person. */
const held = async (heldAt = new Date()): Promise<AttemptKey> => {
  const key = await bench.sent(120_000);
  await setStatus(database, key, 'ambiguous');
  await hold(key.generationId, heldAt);
  return key;
};

test('nothing is put right where nothing is wrong', async () => {
  await accept(database);
  await begin(database);
  await bench.submitted();
  await held();
  expect(await sweep()).toEqual(nothing);
  expect(told).toEqual([]);
});

test('what was sent long ago is forgotten', async () => {
  const key = await bench.submitted();
  const send = { ...key, provider: 'acme', credential: 'main', model: 'acme/clip' };
  const agesDays = [9, 7];
  for (const [epoch, days] of agesDays.entries())
    await database.send.create({ data: { ...send, epoch: epoch + 10, at: new Date(Date.now() - days * 86_400_000) } });
  await sweep();
  expect(await database.send.findMany({ where: { epoch: { gte: 10 } } })).toMatchObject([{ epoch: 11 }]);
});

describe('accepted, and never begun', () => {
  test('is started, as often as it takes, and says so once', async () => {
    const id = await forgotten();
    expect(await sweep()).toEqual({ ...nothing, started: 1 });
    expect(await sweep()).toEqual({ ...nothing, started: 1 });
    expect(told).toEqual([`start ${id}`, `start ${id}`]);
    expect(await repairsOf(id)).toEqual(['started']);
  });

  test('is left to its workflow where it has one, and closed where that is over', async () => {
    const id = await forgotten();
    expect(await sweep({ start: () => Promise.resolve('exists') })).toEqual(nothing);
    expect(await statusOf(id)).toBe('queued');
    const over: Partial<WorkflowPort> = {
      start: () => Promise.resolve('exists'),
      isClosed: () => Promise.resolve(true),
    };
    expect(await sweep(over)).toEqual({ ...nothing, closed: 1 });
    expect(await statusOf(id)).toBe('failed');
    expect(await repairsOf(id)).toEqual(['closed']);
    expect(await sweep(over)).toEqual(nothing);
  });
});

test('a cancel that was not delivered is delivered', async () => {
  const id = await begin(database);
  await database.$executeRaw`
    UPDATE generations SET cancel_requested_at = now() - interval '10 seconds' WHERE id = ${id}`;
  expect(await sweep()).toEqual({ ...nothing, canceled: 1 });
  expect(told).toEqual([`cancel ${id}`]);
  await sweep();
  expect(await repairsOf(id)).toEqual(['canceled']);
});

test('a silent generation is asked after, and closed where its workflow is over', async () => {
  const id = await silent();
  expect(await sweep()).toEqual(nothing);
  expect(told).toEqual([`ask ${id}`]);
  expect(await sweep({ isClosed: () => Promise.resolve(true) })).toEqual({ ...nothing, closed: 1 });
  expect(await statusOf(id)).toBe('failed');
  expect(await repairsOf(id)).toEqual(['closed']);
});

describe('work that nobody waits for', () => {
  test.each([
    ['submitted', () => bench.submitted()],
    ['being sent', () => bench.sent(10_000)],
  ])('is watched where its generation has ended (%s)', async (_name, prepare) => {
    const key = await prepare();
    await endedLongAgo(key);
    expect(await sweep()).toEqual({ ...nothing, watched: 1 });
    expect(told).toEqual([`watch ${key.generationId}-1`]);
    expect(await sweep({ watch: () => Promise.resolve('exists') })).toEqual(nothing);
    expect(await repairsOf(key.generationId)).toEqual(['watched']);
  });

  test('is watched where its generation went on without it', async () => {
    const key = await bench.submitted();
    await submittedLongAgo(key);
    expect(await sweep()).toEqual(nothing);
    await setStatus(database, key, 'submitted', { supersededBy: 2 });
    expect(await sweep()).toEqual({ ...nothing, watched: 1 });
  });

  test('is not watched where another attempt is about to take it over', async () => {
    const key = await bench.sent(120_000);
    await plan(database, key.generationId);
    await setStatus(database, key, 'submitted', { operationId: `found-${key.generationId}`, submittedAt: new Date() });
    await submittedLongAgo(key);
    expect(await bench.attemptOf(next(key))).toMatchObject({ status: 'planned', takesOver: 1 });
    expect(await sweep()).toEqual(nothing);
    await setStatus(database, next(key), 'superseded');
    expect(await sweep()).toEqual({ ...nothing, watched: 1 });
  });
});

test('a lost answer of which its provider has told something is recovered, and its workflow told', async () => {
  const key = await held();
  const message = { headers: {}, body: 'true' };
  await recordCallback(database, { ...key, provider: 'acme' }, message);
  doors.readCallback = () => Promise.resolve('forged');
  expect(await sweep()).toEqual(nothing);
  doors.readCallback = () => Promise.resolve({ id: `told-${key.generationId}` });
  // no answer is lost any more, so that the hold is over too
  expect(await sweep()).toEqual({ ...nothing, recovered: 1, resolved: 1 });
  expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted' });
  expect(await repairsOf(key.generationId)).toEqual(['recovered', 'resolved']);
  expect(new Set(told)).toEqual(new Set([`resolve ${key.generationId}`]));
});

describe('a held generation', () => {
  test('is told once its time is up', async () => {
    const key = await held(new Date(Date.now() - 25 * 3_600_000));
    expect(await sweep()).toEqual({ ...nothing, resolved: 1 });
    expect(told).toEqual([`resolve ${key.generationId}`]);
  });

  test('is told once it was decided', async () => {
    const key = await held();
    expect(await sweep()).toEqual(nothing);
    await setStatus(database, key, 'ambiguous', { resolution: { action: 'resubmit', operation: null, at: '' } });
    expect(await sweep()).toEqual({ ...nothing, resolved: 1 });
    await sweep();
    expect(await repairsOf(key.generationId)).toEqual(['resolved']);
  });
});

test('one that cannot be mended does not hold up the others, and is tried again', async () => {
  const ids = [await forgotten(), await forgotten(), await forgotten()];
  const key = await bench.submitted();
  await endedLongAgo(key);
  const failing: Partial<WorkflowPort> = {
    start: (generation) =>
      generation.id === ids[0] ? Promise.reject(new Error('cannot now')) : service.start(generation),
  };
  expect(await sweep(failing)).toEqual({ ...nothing, started: 2, watched: 1, failed: 1 });
  expect(await repairsOf(ids[0] ?? '')).toEqual([]);
  expect(await sweep()).toEqual({ ...nothing, started: 3, watched: 1 });
  expect(await repairsOf(ids[0] ?? '')).toEqual(['started']);
});

test('while the workflow service is away, what the database alone can settle still is', async () => {
  const away = (): Promise<never> => Promise.reject(new Error('no workflow service'));
  await forgotten();
  const key = await held();
  await recordCallback(database, { ...key, provider: 'acme' }, { headers: {}, body: 'true' });
  doors.readCallback = () => Promise.resolve({ id: `told-${key.generationId}` });
  const done = await sweep({ start: away, cancel: away, resolve: away, isClosed: away, watch: away });
  expect(done).toEqual({ ...nothing, failed: 3 });
  expect(await bench.attemptOf(key)).toMatchObject({ status: 'submitted' });
  expect(await sweep()).toEqual({ ...nothing, started: 1, resolved: 1 });
});

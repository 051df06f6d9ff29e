import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { choosePort } from '../../src/embedded/ports';
import { generationWorkflowId, schedules } from '../../src/workflows/messages';
import { mediaBytes } from '../support/media-bytes';
import { startOwnWorker } from '../support/own-worker';
import { startRecordingServer } from '../support/recording-server';
import { eventually, startTestStack, type Resource, type TestStack, type TestStackOptions } from '../support/stack';
import { fetchGeneration, fetchListed, historiesFolder, saveHistories } from './history-files';
import { announced, canceledUnbegun, hintedPolling, undisturbed, workerKilled, type Shape } from './shapes';

type Place = { system: TestStack; client: Client };

const atOnce = 5;
const patienceMs = 60_000;

/** `npm run record -- text video` records these anew and leaves the others as they are. */
const named = process.argv.slice(2);
const isWanted = (name: string): boolean => named.length === 0 || named.includes(name);

const submit = async ({ system }: Place, shape: Shape): Promise<{ id: string; prompt: string }> => {
  const prompt = `a harbour (${shape.name})`;
  for (const fault of shape.faults ?? []) await system.fault({ ...fault, match: { prompt } });
  const { id } = await system.submit({ ...shape.body, input: { prompt, ...(shape.body['input'] as object) } });
  return { id, prompt };
};

const statusesOf = ({ attempts }: Resource): string[] => attempts.map(({ status }) => status);

/** The row may be ahead of its workflows. */
const untilClosed = ({ client }: Place, id: string): Promise<unknown> =>
  eventually(async () => {
    const prefix = generationWorkflowId(id);
    const query = `WorkflowId STARTS_WITH "${prefix}" AND ExecutionStatus = "Running"`;
    const { count } = await client.workflow.count(query);
    return count === 0;
  });

/** Kept until all of them are there: a run that fails changes nothing. */
const recorded = new Map<string, ReadonlyMap<string, unknown>>();

const keep = (name: string, histories: ReadonlyMap<string, unknown>): void => {
  if (histories.size === 0) throw new Error(`${name}: the server has no history of it`);
  recorded.set(name, histories);
  process.stdout.write(`${name} (${histories.size})\n`);
};

const replaceFiles = async (): Promise<void> => {
  for (const file of await readdir(historiesFolder))
    if (isWanted(file.split('.')[0] ?? '')) await rm(path.join(historiesFolder, file));
  for (const [name, histories] of recorded) await saveHistories(name, histories);
};

const finish = async (place: Place, { name, ends, attempts }: Shape, id: string): Promise<void> => {
  const { system, client } = place;
  const isOut = ({ attempts: rows }: Resource): boolean =>
    rows.some(({ status }) => ['planned', 'submitting', 'submitted'].includes(status));
  await system.untilEnded(id);
  const resource = await system.until(id, (row) => !isOut(row));
  await untilClosed(place, id);
  const went = JSON.stringify([resource.status, statusesOf(resource)]);
  if (went !== JSON.stringify([ends, attempts])) throw new Error(`${name} went another way: ${went}`);
  keep(name, await fetchGeneration(client, id));
};

const go = async (place: Place, shape: Shape, submitted: { id: string; prompt: string }): Promise<void> => {
  const other = await shape.meanwhile?.({ ...place, ...submitted });
  await finish(place, shape, other ?? submitted.id);
};

/** Says how far it came. */
const giveUp = async ({ system }: Place, { name }: Shape, id: string): Promise<never> => {
  await pause(patienceMs, undefined, { ref: false });
  const resource = await system.read(id);
  throw new Error(`${name} is not over: ${JSON.stringify([resource.status, resource.phase, statusesOf(resource)])}`);
};

const record = async (place: Place, shape: Shape): Promise<void> => {
  if (!isWanted(shape.name)) return;
  await shape.before?.(place);
  const submitted = await submit(place, shape);
  await Promise.race([go(place, shape, submitted), giveUp(place, shape, submitted.id)]);
};

const recordAll = async (place: Place, shapes: readonly Shape[]): Promise<void> => {
  const waiting = [...shapes];
  const problems: string[] = [];
  const recordNext = async (): Promise<void> => {
    for (let shape = waiting.shift(); shape; shape = waiting.shift())
      await record(place, shape).catch((error: unknown) => problems.push((error as Error).message));
  };
  await Promise.all(Array.from({ length: atOnce }, recordNext));
  if (problems.length > 0) throw new Error(problems.join('\n'));
};

/** The schedules start their workflows under ids of their own: the latest that has ended. */
const recordListed = async ({ client }: Place, name: string, query: string): Promise<void> => {
  if (!isWanted(name)) return;
  const givenUpAt = Date.now() + patienceMs;
  const ended = `${query} AND ExecutionStatus = "Completed"`;
  const histories = await eventually(async () => {
    const found = await fetchListed(client, ended);
    if (Date.now() > givenUpAt) throw new Error(`none has ended: ${query}`);
    return found.size > 0 && found;
  });
  keep(name, new Map([...histories].slice(-1)));
};

const withStack = async (options: TestStackOptions, work: (place: Place) => Promise<void>): Promise<void> => {
  const system = await startTestStack(options);
  const connection = await Connection.connect({ address: system.stack.temporalAddress ?? '' });
  try {
    await system.settings({ latencyScale: 0.05, limits: { runway: { concurrent: null } } });
    await work({ system, client: new Client({ connection }) });
  } finally {
    await connection.close();
    await system.stop();
  }
};

const recordMost = (): Promise<void> =>
  withStack({}, async (place) => {
    await recordAll(place, undisturbed);
    await place.system.call('/v1/providers/runway/test', { method: 'POST', body: {} });
    await recordListed(place, 'probe', 'WorkflowType = "probe"');
    await recordListed(place, 'reconcile', `WorkflowId STARTS_WITH "${schedules.reconcile}-"`);
    await place.client.schedule.getHandle(schedules.orphans).trigger();
    await recordListed(place, 'orphans', `WorkflowId STARTS_WITH "${schedules.orphans}"`);
    await record(place, workerKilled);
  });

const settings =
  'polling: { scale: 0.5 }\nambiguity: { holdHours: 0.0005 }\nsubmit: { timeoutMs: 1500 }\nretry: { initialSeconds: 0.1 }\n';

/** Providers reach the API as from outside; a worker in this process takes the files of `media.example.com` from here. */
const recordAnnounced = async (): Promise<void> => {
  const port = await choosePort(null, new Set());
  // the worker outside the stack signs the addresses that the API knows again
  const secret = { SURESHOT_SECRET: 'a secret of at least sixteen characters' };
  const environment = { ...secret, PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` };
  const files = await startRecordingServer((response) => void response.end(mediaBytes['image/png']));
  await withStack({ settings, environment, pieces: ['postgres', 'temporal', 'emulator', 'api'] }, async (place) => {
    const unbegun = isWanted(canceledUnbegun.name) ? await submit(place, canceledUnbegun) : null;
    if (unbegun) await canceledUnbegun.meanwhile?.({ ...place, ...unbegun });
    const worker = await startOwnWorker(place.system, ({ download }) => ({
      download: (url, how) =>
        url.startsWith('https://media.example.com/')
          ? download(`${files.url}/a.png`, { ...how, allowedOrigin: files.url })
          : download(url, how),
    }));
    try {
      if (unbegun) await finish(place, canceledUnbegun, unbegun.id);
      await recordAll(place, announced);
      await place.system.settings({ latencyScale: 2 });
      await record(place, hintedPolling);
    } finally {
      await worker.stop();
    }
  });
  await files.close();
};

const run = async (): Promise<void> => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  await recordMost();
  await recordAnnounced();
  await replaceFiles();
};

// tsx test/replay/record-shapes.ts: records all shapes anew, after the old ones have been proven to replay
run().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exit(1);
  },
);

import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import Long from 'long';
import { eventually, findFreePort, startTestStack, type Resource, type TestStack } from '../support/stack';

let system: TestStack;
let connection: Connection;
let client: Client;

const settings = `
polling: { scale: 0.05 }
submit: { timeoutMs: 1500 }
reconcile: { everySeconds: 2, silentSeconds: 3 }
retry: { initialSeconds: 0.1 }
providers: { openai: { store: true } }
`;

/** What takes a provider forty seconds takes two; and six where something has to happen in the meantime. */
const usual = { latencyScale: 0.05 };
const long = { latencyScale: 0.15 };

beforeAll(async () => {
  system = await startTestStack({ settings });
  await system.settings(usual);
  connection = await Connection.connect({ address: system.stack.temporalAddress ?? '' });
  client = new Client({ connection });
});

afterAll(async () => {
  await connection.close();
  await system.stop();
});

/** Can be cancelled at the provider while it runs; what it costs is held when its answer is lost. */
const runway = (prompt: string, more: object = {}) => ({
  ...{ medium: 'video', model: 'runway/gen4.5', input: { prompt }, onAmbiguous: 'hold' },
  ...more,
});

/** Cannot be cancelled at the provider: what was begun is finished there. */
const submitUnstoppable = async (prompt: string): Promise<Resource> => {
  const refusal = { operation: 'cancel', kind: 'status', status: 503, times: null, match: { prompt } };
  await system.fault({ provider: 'fal', ...refusal });
  const { id } = await system.submit(runway(prompt, { model: 'fal/veo3.1' }));
  return system.until(id, ({ phase }) => phase === 'polling');
};

const act = (id: string, action: string, body: object = {}): Promise<Response> =>
  system.call(`/v1/generations/${id}/${action}`, { method: 'POST', body });

const rerun = async (id: string, body: object = {}): Promise<Resource> => {
  const response = await act(id, 'rerun', body);
  const resource = (await response.json()) as Resource;
  expect({ status: response.status, error: resource.error }).toEqual({ status: 202, error: null });
  return resource;
};

const statesOf = ({ attempts }: Resource): string[] => attempts.map(({ status }) => status);

const workflow = (id: string, suffix = '') => client.workflow.getHandle(`generation/${id}${suffix}`);

/** Kills one of the stack's processes and waits until there is another one. */
const replace = async (name: string): Promise<void> => {
  const before = system.stack.pids()[name];
  system.kill(name);
  await eventually(() => Promise.resolve(![undefined, before].includes(system.stack.pids()[name])));
};

/** Submitted, and the answer was lost. */
const hold = async (prompt: string, more: object = {}): Promise<Resource> => {
  await system.fault({ provider: 'runway', kind: 'drop_after_accept', match: { prompt } });
  const { id } = await system.submit(runway(prompt, more));
  const held = await system.until(id, ({ phase }) => phase === 'needs_attention');
  expect(held).toMatchObject({ status: 'running', attempts: [{ number: 1, status: 'ambiguous' }] });
  expect(Number(held.cost.possibleUsd)).toBeGreaterThan(0);
  expect(await system.paidFor(prompt)).toHaveLength(1);
  return held;
};

/** As a person finds it at the provider. */
const lookUp = async (prompt: string): Promise<string> => (await system.paidFor(prompt))[0]?.operation ?? 'none';

// Promise 2: "Never silently paid twice. At most one paid submit per attempt unless a recorded policy or person decided
// otherwise; a submit whose fate is unknown is a visible state, not a retry."
describe('a held submit', () => {
  test('adopted: goes on with the operation that was found, the one paid submit', async () => {
    const prompt = 'a found parcel';
    const { id } = await hold(prompt);
    const operation = await lookUp(prompt);
    expect((await act(id, 'resolve', { action: 'adopt', operation })).status).toBe(200);
    const resource = await system.untilEnded(id);
    expect(resource.status).toBe('succeeded');
    expect(resource.attempts.at(-1)).toMatchObject({ status: 'succeeded', operation });
    const paid = await system.paidFor(prompt);
    expect(paid).toHaveLength(1);
    expect(resource.cost).toMatchObject({ possibleUsd: '0', reservedUsd: '0' });
    expect(Number(resource.cost.actualUsd)).toBe(Number(paid[0]?.costUsd));
  });

  test('resubmitted: a person decided to pay again, and the first one stays a possible cost', async () => {
    const prompt = 'a parcel sent again';
    const { id } = await hold(prompt);
    expect((await act(id, 'resolve', { action: 'resubmit' })).status).toBe(200);
    const resource = await system.untilEnded(id);
    expect({ status: resource.status, attempts: statesOf(resource) }).toEqual({
      ...{ status: 'succeeded', attempts: ['ambiguous', 'succeeded'] },
    });
    expect(Number(resource.cost.possibleUsd)).toBeGreaterThan(0);
    expect(await system.paidFor(prompt)).toHaveLength(2);
    // found at the provider after all
    const owned = resource.attempts[1]?.operation;
    const stray = (await system.paidFor(prompt)).find(({ operation }) => operation !== owned);
    expect((await act(id, 'resolve', { action: 'adopt', operation: owned })).status).toBe(409);
    expect((await act(id, 'resolve', { action: 'adopt', operation: stray?.operation })).status).toBe(200);
    const booked = await system.until(id, (now) => now.attempts[0]?.status === 'succeeded');
    expect(booked.cost.possibleUsd).toBe('0');
    const total = (await system.paidFor(prompt)).reduce((sum, { costUsd }) => sum + Number(costUsd), 0);
    expect(Number(booked.cost.actualUsd)).toBeCloseTo(total, 8);
  });

  test('failed over: goes to the next candidate', async () => {
    const { id } = await hold('a parcel for somebody else', { routing: { allow: ['fal/veo3.1'] } });
    expect((await act(id, 'resolve', { action: 'fail_over' })).status).toBe(200);
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({
      status: 'succeeded',
      attempts: [
        { provider: 'runway', status: 'ambiguous' },
        { provider: 'fal', status: 'succeeded' },
      ],
    });
  });

  test('abandoned: it ends, free of charge', async () => {
    const prompt = 'a parcel that nobody wants';
    const { id } = await hold(prompt);
    expect((await act(id, 'resolve', { action: 'abandon' })).status).toBe(200);
    expect(await system.untilEnded(id)).toMatchObject({
      ...{ status: 'failed', error: { code: 'provider_submit_ambiguous' } },
      cost: { actualUsd: '0', possibleUsd: '0' },
    });
    expect(await system.paidFor(prompt)).toHaveLength(1);
  });

  // Promise 9: "Cancel means cancelled at the provider too, and a late result is still accounted for."
  test('canceled: it ends at once; what is found later is accounted for, and a re-run has it for nothing', async () => {
    const prompt = 'a parcel called back';
    const { id } = await hold(prompt);
    expect((await act(id, 'cancel')).status).toBe(202);
    const canceled = await system.untilEnded(id);
    expect(canceled).toMatchObject({ status: 'canceled', attempts: [{ status: 'ambiguous' }] });
    const operation = await lookUp(prompt);
    expect((await act(id, 'resolve', { action: 'adopt', operation })).status).toBe(200);
    const booked = await system.until(id, ({ attempts }) => attempts[0]?.status === 'succeeded');
    expect(booked).toMatchObject({ status: 'canceled', cost: { possibleUsd: '0' } });
    expect(Number(booked.cost.actualUsd)).toBe(Number((await system.paidFor(prompt))[0]?.costUsd));
    const again = await system.untilEnded((await rerun(id)).id);
    expect(again).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, operation }] });
    expect(await system.paidFor(prompt)).toHaveLength(1);
  });

  // Promise 1: "No lost job. Kill any process at any step: every accepted generation reaches a terminal state."
  test('survives the death of the worker and of Temporal', async () => {
    const prompt = 'a parcel in a storm';
    const { id } = await hold(prompt);
    await Promise.all([replace('worker'), replace('temporal')]);
    expect(await system.read(id)).toMatchObject({ phase: 'needs_attention', attempts: [{ status: 'ambiguous' }] });
    const operation = await lookUp(prompt);
    expect((await act(id, 'resolve', { action: 'adopt', operation })).status).toBe(200);
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded' });
    expect(await system.paidFor(prompt)).toHaveLength(1);
  });
});

// Promise 3: "Resume, never restart. After an outage of any length, polling goes on with the operation we have; re-run
// adopts paid work."
describe('a re-run', () => {
  const prompts = {
    lost: 'a burnt letter',
    failed: 'a torn letter',
    late: 'a letter called back',
    expired: 'a letter too slow',
    unsent: 'A letter that was never sent.',
    terminated: 'a letter cut off',
  };
  const sources: Partial<Record<keyof typeof prompts, Resource>> = {};
  const sourceOf = (name: keyof typeof prompts): Resource => sources[name] as Resource;

  const begin = {
    lost: async () => {
      const prompt = prompts.lost;
      await system.fault({ provider: 'fal', kind: 'artifact_expired', times: null, match: { prompt } });
      return system.submit({ ...runway(prompt), medium: 'image', model: 'fal/flux/dev' });
    },
    failed: async () => {
      await system.fault({ provider: 'runway', kind: 'failed', match: { prompt: prompts.failed } });
      return system.submit(runway(prompts.failed));
    },
    late: async () => {
      const resource = await submitUnstoppable(prompts.late);
      expect((await act(resource.id, 'cancel')).status).toBe(202);
      return resource;
    },
    expired: async () => {
      await system.fault({ provider: 'runway', kind: 'stuck', match: { prompt: prompts.expired } });
      return system.submit(runway(prompts.expired, { deadlineSeconds: 10 }));
    },
    unsent: async () => {
      const limited = { kind: 'status', status: 429, retryAfter: 60, times: null, match: { prompt: prompts.unsent } };
      await system.fault({ provider: 'elevenlabs', operation: 'submit', ...limited });
      const speech = { medium: 'speech', model: 'elevenlabs/eleven_multilingual_v2', deadlineSeconds: 10 };
      return system.submit({ ...speech, input: { prompt: prompts.unsent } });
    },
    terminated: async () => {
      const resource = await submitUnstoppable(prompts.terminated);
      await workflow(resource.id).terminate('as an operator would');
      return resource;
    },
  };

  beforeAll(async () => {
    const names = Object.keys(prompts) as (keyof typeof prompts)[];
    await Promise.all(
      names.map(async (name) => {
        const { id } = await begin[name]();
        sources[name] = await system.untilEnded(id);
      }),
    );
    await system.clearFaults();
  });

  test('of a lost result fetches it again, and pays nothing', async () => {
    const source = sourceOf('lost');
    expect(source).toMatchObject({ status: 'failed', error: { code: 'provider_result_lost' } });
    const before = await system.paidFor(prompts.lost);
    const { id, rerunOf } = await rerun(source.id);
    expect(rerunOf).toBe(source.id);
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ operation: before[0]?.operation }] });
    expect(resource.artifacts).toHaveLength(1);
    expect(await system.paidFor(prompts.lost)).toHaveLength(before.length);
    const { cost } = await system.read(source.id);
    expect(Number(cost.actualUsd) + Number(resource.cost.actualUsd)).toBeCloseTo(Number(before[0]?.costUsd), 8);
  });

  test('of what the provider failed sends it again, once', async () => {
    const source = sourceOf('failed');
    expect(source).toMatchObject({ status: 'failed', error: { code: 'provider_failed' } });
    const resource = await system.untilEnded((await rerun(source.id)).id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    expect(await system.paidFor(prompts.failed)).toHaveLength(2);
  });

  test('of what was canceled and finished late at the provider has the late result, and pays nothing', async () => {
    const source = sourceOf('late');
    expect(source.status).toBe('canceled');
    const finished = await system.until(source.id, (now) => now.attempts[0]?.status === 'succeeded');
    expect(Number(finished.cost.actualUsd)).toBe(Number((await system.paidFor(prompts.late))[0]?.costUsd));
    const resource = await system.untilEnded((await rerun(source.id)).id);
    const { operation } = finished.attempts[0] as { operation: string };
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, operation, status: 'succeeded' }] });
    expect(resource.cost.actualUsd).toBe(finished.cost.actualUsd);
    expect(resource.artifacts).toHaveLength(1);
    expect(await system.paidFor(prompts.late)).toHaveLength(1);
    // the cost has one owner
    const freed = { status: 'canceled', cost: { actualUsd: '0', possibleUsd: '0' } };
    expect(await system.read(source.id)).toMatchObject(freed);
  });

  test('of what has expired sends it again, with its whole time', async () => {
    const source = sourceOf('expired');
    expect(source).toMatchObject({ status: 'expired', attempts: [{ status: 'canceled' }] });
    const { id } = await rerun(source.id, { overrides: { deadlineSeconds: 600 } });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded' });
    expect((await system.paidFor(prompts.expired)).map(({ state }) => state)).toEqual(['canceled', 'succeeded']);
  });

  test('of what was never sent sends it for the first time', async () => {
    const source = sourceOf('unsent');
    expect(source).toMatchObject({ status: 'expired', cost: { actualUsd: '0', possibleUsd: '0' } });
    expect(await system.paidFor(prompts.unsent)).toEqual([]);
    await system.call('/v1/providers/elevenlabs/credentials/key-1/enable', { method: 'POST' });
    expect(await system.untilEnded((await rerun(source.id)).id)).toMatchObject({ status: 'succeeded' });
    expect(await system.paidFor(prompts.unsent)).toHaveLength(1);
  });

  test('of what was terminated in the Web UI goes on with the operation, and pays nothing', async () => {
    const source = sourceOf('terminated');
    expect(source).toMatchObject({ status: 'failed', error: { code: 'system_internal' } });
    const resource = await system.untilEnded((await rerun(source.id)).id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ operation: source.attempts[0]?.operation }] });
    expect(await system.paidFor(prompts.terminated)).toHaveLength(1);
  });

  test('while its work is still watched takes it over, and the watch ends', async () => {
    const prompt = 'a letter that is waited for';
    await system.settings(long);
    const { id } = await submitUnstoppable(prompt);
    await system.settings(usual);
    await act(id, 'cancel');
    const watch = workflow(id, '/attempt/1/watch');
    await eventually(async () => (await watch.describe().catch(() => null))?.status.name === 'RUNNING');
    const resource = await system.untilEnded((await rerun(id)).id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, status: 'succeeded' }] });
    await watch.result();
    expect(statesOf(await system.read(id))).toEqual(['superseded']);
    expect(await system.paidFor(prompt)).toHaveLength(1);
  });
});

describe('Reset in the Web UI', () => {
  const firstTaskEnded = 4;

  const reset = async (id: string): Promise<void> => {
    // a re-run that owns its work is polling from its acceptance on, before its workflow has had its first task
    await eventually(async () => (await workflow(id).describe()).historyLength >= firstTaskEnded);
    const { runId } = await workflow(id).describe();
    await client.workflowService.resetWorkflowExecution({
      ...{
        namespace: 'default',
        workflowExecution: { workflowId: `generation/${id}`, runId },
        requestId: randomUUID(),
      },
      ...{ reason: 'as an operator would', workflowTaskFinishEventId: Long.fromNumber(firstTaskEnded) },
    });
  };

  test('before, after and inside a re-run sends nothing again', async () => {
    const prompt = 'a river that was reset';
    await system.settings(long);
    const { id } = await submitUnstoppable(prompt);
    await system.settings(usual);
    await reset(id);
    await system.until(id, ({ attempts }) => attempts[1]?.status === 'submitted');
    await act(id, 'cancel');
    await system.untilEnded(id);

    const again = await rerun(id);
    await system.until(again.id, ({ phase }) => phase === 'polling');
    await reset(id);
    await reset(again.id);
    const resource = await system.untilEnded(again.id);
    expect({ status: resource.status, attempts: statesOf(resource) }).toEqual({
      ...{ status: 'succeeded', attempts: ['superseded', 'succeeded'] },
    });
    await workflow(id).result();
    const original = await system.read(id);
    expect({ status: original.status, attempts: statesOf(original) }).toEqual({
      ...{ status: 'canceled', attempts: ['superseded', 'superseded'] },
    });
    expect(await system.paidFor(prompt)).toHaveLength(1);

    await reset(again.id);
    await eventually(async () => (await workflow(again.id).describe()).status.name === 'COMPLETED');
    const { status, artifacts, cost, attempts } = await system.read(again.id);
    expect({ status, artifacts, cost }).toEqual({
      ...{ status: 'succeeded', artifacts: resource.artifacts, cost: resource.cost },
    });
    expect(attempts.at(-1)).toMatchObject({ status: 'succeeded', operation: resource.attempts[1]?.operation });
    expect(await system.paidFor(prompt)).toHaveLength(1);
  });
});

describe('an outage of ours', () => {
  // Promise 3: "… After an outage of any length, polling goes on with the operation we have …"
  test('past the deadline does not turn paid work into expired', async () => {
    const prompt = 'a film that nobody was there to fetch';
    const { id } = await system.submit(runway(prompt, { deadlineSeconds: 10 }));
    await system.until(id, ({ phase }) => phase === 'polling');
    const begun = Date.now();
    const stopped = ['worker', 'api', 'temporal'].map((name) => system.stack.pids()[name] ?? Number.NaN);
    for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    try {
      const isOver = async (): Promise<boolean> => (await system.paidFor(prompt))[0]?.state === 'succeeded';
      await eventually(async () => (await isOver()) && Date.now() - begun > 11_000);
    } finally {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
    }
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    expect(await system.paidFor(prompt)).toHaveLength(1);
  });
});

describe('a lost answer is found again', () => {
  test.each([
    ['an OpenAI chat that was stored', 'openai', { medium: 'text', model: 'openai/gpt-4o-mini' }],
    [
      'speech in the history of ElevenLabs',
      'elevenlabs',
      { medium: 'speech', model: 'elevenlabs/eleven_multilingual_v2' },
    ],
  ])('%s', async (_what, provider, request) => {
    const prompt = `Say, for ${provider}, that nothing is lost as long as somebody can be asked.`;
    const known = (await system.ledger()).length;
    await system.fault({ provider, kind: 'drop_after_accept', match: { prompt } });
    const { id } = await system.submit({ ...request, input: { prompt }, onAmbiguous: 'hold' });
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, status: 'succeeded' }] });
    expect(resource.artifacts).toHaveLength(1);
    expect((await system.ledger()).length).toBe(known + 1);
  });
});

describe('a second API process', () => {
  let second: ChildProcess;
  let url: string;

  beforeAll(async () => {
    const port = await findFreePort();
    url = `http://127.0.0.1:${port}`;
    const entry = path.join(__dirname, '..', '..', 'dist', 'server.js');
    const environment = { ...system.workerEnvironment, PORT: String(port), LOG_LEVEL: 'silent' };
    second = spawn(process.execPath, [entry], { env: environment, stdio: 'ignore' });
    await eventually(async () => (await fetch(`${url}/readyz`).catch(() => null))?.ok);
  });

  afterAll(async () => {
    const ended = new Promise((resolve) => second.once('exit', resolve));
    second.kill('SIGKILL');
    await ended;
  });

  // Promise 8: "The same request twice is one generation (idempotency key), across replicas and restarts."
  test('the same request twice is one generation (idempotency key), across replicas and restarts', async () => {
    const body = { medium: 'text', model: 'mock/text', input: { prompt: 'Only once, wherever it is asked.' } };
    const headers = { 'Idempotency-Key': `replicas-${randomUUID()}` };
    const ask = (target: string): Promise<Response> => system.call(target, { method: 'POST', body, headers });
    const targets = [1, 2, 3].flatMap(() => ['/v1/generations', `${url}/v1/generations`]);
    const answers = await Promise.all(targets.map(ask));
    expect(answers.every(({ ok }) => ok)).toBe(true);
    const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as Resource).id));
    expect(new Set(ids).size).toBe(1);
    const fresh = answers.filter((answer) => answer.headers.get('idempotency-replayed') !== 'true');
    expect(fresh).toHaveLength(1);
    await system.untilEnded(ids[0] ?? '');
    await replace('api');
    const later = await eventually(() => ask('/v1/generations').catch(() => null));
    expect(later.status).toBe(200);
    expect(((await later.json()) as Resource).id).toBe(ids[0]);
    expect(await system.paidFor(body.input.prompt)).toHaveLength(1);
  });

  test('of re-runs asked for at both at the same time exactly one is accepted', async () => {
    const prompt = 'a letter for two';
    await system.fault({ provider: 'runway', kind: 'failed', match: { prompt } });
    const { id } = await system.submit(runway(prompt));
    expect(await system.untilEnded(id)).toMatchObject({ status: 'failed' });
    const targets = [1, 2].flatMap(() => [`/v1/generations/${id}/rerun`, `${url}/v1/generations/${id}/rerun`]);
    const answers = await Promise.all(targets.map((target) => system.call(target, { method: 'POST', body: {} })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409]);
    const accepted = answers.find(({ status }) => status === 202);
    const again = (await accepted?.json()) as Resource;
    expect(await system.untilEnded(again.id)).toMatchObject({ status: 'succeeded' });
    expect(await system.paidFor(prompt)).toHaveLength(2);
  });
});

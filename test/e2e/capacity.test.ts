import { eventually, startTestStack, type TestStack } from '../support/stack';

jest.setTimeout(60_000);

let system: TestStack;

// one film at a time at Runway, and a breaker that two faults open
const settings = `
polling: { scale: 0.05 }
submit: { timeoutMs: 1500 }
reconcile: { everySeconds: 2, silentSeconds: 3 }
retry: { attempts: 1, initialSeconds: 0.1 }
providers:
  runway: { limits: { jobsInFlight: 1, requestsPerMinute: null, cooldownSeconds: 1 }, breaker: { failures: 2, openSeconds: 3 } }
  openai: { limits: { requestsPerMinute: null }, breaker: { failures: 2, minimumCount: 1000, openSeconds: 3 } }
`;

beforeAll(async () => {
  system = await startTestStack({ settings });
  const second = { alias: 'second', key: 'another-key-of-the-emulator' };
  const added = await system.call('/v1/providers/openai/credentials', { method: 'POST', body: second });
  expect(added.status).toBe(201);
});

afterAll(() => system.stop());

afterEach(() => system.clearFaults());

const film = (prompt: string, more: object = {}): object => ({
  ...{ medium: 'video', model: 'runway/gen4.5', input: { prompt, durationSeconds: 4 } },
  ...more,
});

const text = (prompt: string, more: object = {}): object => ({
  ...{ medium: 'text', model: 'openai/gpt-4o-mini', input: { prompt } },
  ...more,
});

type Waiting = { phase: string | null; queuePosition: number | null; expectedWaitSeconds: number | null };

const standing = async (id: string): Promise<Waiting> => (await system.read(id)) as unknown as Waiting;

const operate = async (route: string, body?: unknown): Promise<Response> =>
  system.call(route, { method: 'POST', ...(body !== undefined && { body }) });

const eventTypes = async (provider: string): Promise<string[]> => {
  const answer = await system.call(`/v1/providers/${provider}/events`);
  return ((await answer.json()) as { data: { type: string }[] }).data.map(({ type }) => type);
};

describe('work that does not fit', () => {
  test('waits in line, says where it stands, and gets on when something ends, also after the worker was killed', async () => {
    await system.settings({ latencyScale: 0.2 });
    const first = await system.submit(film('the first film'));
    await system.until(first.id, ({ phase }) => phase === 'polling');
    const second = await system.submit(film('the second film'));
    await system.until(second.id, ({ phase }) => phase === 'waiting_for_capacity');
    const third = await system.submit(film('the third film'));
    await system.until(third.id, ({ phase }) => phase === 'waiting_for_capacity');
    expect([(await standing(second.id)).queuePosition, (await standing(third.id)).queuePosition]).toEqual([1, 2]);
    expect((await standing(third.id)).expectedWaitSeconds).toBeGreaterThan(0);
    system.kill('worker');
    const ended = [];
    for (const { id } of [first, second, third]) ended.push(await system.untilEnded(id));
    expect(ended.map(({ status, attempts }) => [status, attempts.length])).toEqual([
      ['succeeded', 1],
      ['succeeded', 1],
      ['succeeded', 1],
    ]);
    const peak = (await standing(third.id)).queuePosition;
    expect(peak).toBeNull();
  });

  test('goes to another candidate where the wait is long and that has room', async () => {
    await system.settings({ latencyScale: 1 });
    const first = await system.submit(film('a film that takes long'));
    await system.until(first.id, ({ phase }) => phase === 'polling');
    const second = await system.submit(film('a film that is in a hurry', { routing: { allow: ['fal/veo3.1'] } }));
    const { provider } = await system.until(second.id, ({ phase }) => phase === 'polling');
    expect(provider).toBe('fal');
    await operate(`/v1/generations/${first.id}/cancel`);
    await operate(`/v1/generations/${second.id}/cancel`);
    await system.untilEnded(first.id);
    await system.settings({ latencyScale: 0.02 });
  });

  test('can be cancelled while it waits, free of charge', async () => {
    await system.settings({ latencyScale: 0.2 });
    const first = await system.submit(film('a film in the way'));
    await system.until(first.id, ({ phase }) => phase === 'polling');
    const second = await system.submit(film('a film nobody wants any more'));
    await system.until(second.id, ({ phase }) => phase === 'waiting_for_capacity');
    await operate(`/v1/generations/${second.id}/cancel`);
    expect(await system.untilEnded(second.id)).toMatchObject({ status: 'canceled', cost: { actualUsd: '0' } });
    expect(await system.paidFor('a film nobody wants any more')).toEqual([]);
    await system.untilEnded(first.id);
  });
});

test('a limit changed at run time holds at once', async () => {
  await system.settings({ latencyScale: 0.2 });
  const body = { provider: 'runway', kind: 'jobs_in_flight', limit: 2 };
  expect((await system.call('/v1/limits', { method: 'PUT', body })).status).toBe(200);
  const two = [await system.submit(film('one of two')), await system.submit(film('the other of two'))];
  for (const { id } of two) await system.until(id, ({ phase }) => phase === 'polling');
  await system.call('/v1/limits?provider=runway&kind=jobs_in_flight', { method: 'DELETE' });
  for (const { id } of two) expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded' });
});

describe('a refusal that concerns the key', () => {
  test('429 rests the key: another one sends it, and no try is used up', async () => {
    await system.fault({
      provider: 'openai',
      operation: 'submit',
      kind: 'status',
      status: 429,
      retryAfter: 3,
      times: 1,
    });
    const { id } = await system.submit(text('a word through the other key'));
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, status: 'succeeded' }] });
    expect(await eventTypes('openai')).toContain('key.paused');
  });

  test('401 switches the key off, another one sends it, and somebody switches it on again', async () => {
    await eventually(async () => {
      const { data } = (await (await system.call('/v1/providers/openai/credentials')).json()) as {
        data: { status: string }[];
      };
      return data.every(({ status }) => status === 'active');
    });
    await system.fault({ provider: 'openai', operation: 'submit', kind: 'status', status: 401, times: 1 });
    const { id } = await system.submit(text('a word despite a bad key'));
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    const { data } = (await (await system.call('/v1/providers/openai/credentials')).json()) as {
      data: { alias: string; status: string }[];
    };
    const off = data.find(({ status }) => status === 'disabled');
    expect(off?.alias).not.toBe(resource.attempts[0]?.credential);
    expect((await operate(`/v1/providers/openai/credentials/${off?.alias}/enable`)).status).toBe(200);
  });
});

test('a breaker that faults opened lets nothing through until its time is over, then one tries', async () => {
  await system.settings({ latencyScale: 0.02 });
  await system.fault({ provider: 'runway', operation: 'submit', kind: 'status', status: 503, times: 2 });
  for (const prompt of ['the first to fail', 'the second to fail'])
    expect(await system.untilEnded((await system.submit(film(prompt))).id)).toMatchObject({ status: 'failed' });
  const { id } = await system.submit(film('the one that tries'));
  await system.until(id, ({ phase }) => phase === 'waiting_for_capacity');
  expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
  expect(await eventTypes('runway')).toEqual(
    expect.arrayContaining(['breaker.opened', 'breaker.half_open', 'breaker.closed']),
  );
});

describe('a provider that a person pauses', () => {
  test('finishes what runs, and sends what waits when it is resumed', async () => {
    await system.settings({ latencyScale: 0.2 });
    const running = await system.submit(film('a film that runs on'));
    await system.until(running.id, ({ phase }) => phase === 'polling');
    expect((await operate('/v1/providers/runway/pause', { reason: 'maintenance' })).status).toBe(200);
    const waiting = await system.submit(film('a film that waits'));
    expect(await system.untilEnded(running.id)).toMatchObject({ status: 'succeeded' });
    await system.until(waiting.id, ({ phase }) => phase === 'waiting_for_capacity');
    expect(await system.paidFor('a film that waits')).toEqual([]);
    expect((await operate('/v1/providers/runway/resume')).status).toBe(200);
    expect(await system.untilEnded(waiting.id)).toMatchObject({ status: 'succeeded' });
  });

  test('with reroute lets what waits go to another candidate', async () => {
    await operate('/v1/providers/runway/pause');
    const waits = await system.submit(film('a film that waits at first'));
    await system.until(waits.id, ({ phase }) => phase === 'waiting_for_capacity');
    await operate('/v1/providers/runway/pause', { waiting: 'reroute' });
    const { id } = await system.submit(film('a film that goes elsewhere', { routing: { allow: ['fal/veo3.1'] } }));
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', provider: 'fal' });
    expect(await standing(waits.id)).toMatchObject({ phase: 'waiting_for_capacity' });
    await operate('/v1/providers/runway/resume');
    expect(await system.untilEnded(waits.id)).toMatchObject({ status: 'succeeded', provider: 'runway' });
  });
});

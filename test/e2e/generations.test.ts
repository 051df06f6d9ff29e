import { createHash } from 'node:crypto';
import { fetchHistories } from '../replay/history-files';
import { eventually, startTestStack, type TestStack } from '../support/stack';

let system: TestStack;

beforeAll(async () => {
  system = await startTestStack();
  await system.settings({ latencyScale: 0.01 });
});

afterAll(() => system.stop());

const download = async (url: string): Promise<Buffer> => Buffer.from(await (await system.call(url)).arrayBuffer());

describe('one generation of each medium', () => {
  const cases = [
    ['video', 'a red bicycle in the rain', 'video/mp4'],
    ['image', 'a red bicycle in the rain', /^image\//],
    ['speech', 'The rain has stopped.', /^audio\//],
    ['text', 'Say something about rain.', /^text\/plain/],
  ] as const;

  test.each(cases)('%s goes from request to stored bytes that match their hash', async (medium, prompt, type) => {
    const { id } = await system.submit({ medium, input: { prompt } });
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({
      status: 'succeeded',
      error: null,
      attempts: [{ number: 1, status: 'succeeded' }],
    });
    const [artifact] = resource.artifacts;
    expect(artifact?.contentType).toEqual(typeof type === 'string' ? type : expect.stringMatching(type));
    const bytes = await download(artifact?.url ?? '');
    expect(bytes.length).toBe(artifact?.bytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(artifact?.sha256);
    if (medium === 'text') expect(resource.text).toBe(bytes.toString('utf8'));
  });

  test('a prompt whose first words end in the middle of a character, when cut, is no obstacle', async () => {
    const prompt = `${'x'.repeat(119)}\u{1F6B2} in the rain`;
    const { id } = await system.submit({ medium: 'text', model: 'mock/text', input: { prompt } });
    expect((await system.untilEnded(id)).status).toBe('succeeded');
  });

  test('what it cost is what the provider booked', async () => {
    const { id } = await system.submit({
      medium: 'video',
      model: 'fal/veo3.1',
      input: { prompt: 'the sea at noon', audio: false },
    });
    const { attempts, cost } = await system.untilEnded(id);
    const booked = (await system.ledger()).find(({ operation }) => operation === attempts[0]?.operation);
    expect(Number(cost.actualUsd)).toBe(Number(booked?.costUsd));
    expect(cost.reservedUsd).toBe('0');
  });
});

describe('failover', () => {
  test('goes to the next candidate when the provider fails the work, and tells the chain', async () => {
    await system.fault({ provider: 'runway', kind: 'failed' });
    const routing = { allow: ['fal/veo3.1'], maxCostUsd: 10 };
    const { id } = await system.submit({
      medium: 'video',
      model: 'runway/gen4.5',
      input: { prompt: 'a kite' },
      routing,
    });
    const resource = await system.untilEnded(id);
    expect(resource.status).toBe('succeeded');
    expect(resource.attempts.map(({ provider, status }) => [provider, status])).toEqual([
      ['runway', 'failed'],
      ['fal', 'succeeded'],
    ]);
  });

  test('goes on after the tries of a submit known not accepted are used up', async () => {
    await system.fault({ provider: 'fal', operation: 'submit', kind: 'status', status: 503, times: 3 });
    const routing = { allow: ['openai/gpt-image-2'] };
    const { id } = await system.submit({
      medium: 'image',
      model: 'fal/flux/dev',
      input: { prompt: 'an owl' },
      routing,
    });
    const resource = await system.untilEnded(id);
    expect(resource.status).toBe('succeeded');
    expect(resource.attempts.map(({ model, status }) => [model, status])).toEqual([
      ['fal/flux/dev', 'rejected'],
      ['openai/gpt-image-2', 'succeeded'],
    ]);
  });

  test('waits out a rate limit without using up a try', async () => {
    await system.fault({ provider: 'fal', operation: 'submit', kind: 'status', status: 429, retryAfter: 0, times: 5 });
    const { id } = await system.submit({ medium: 'image', model: 'fal/flux/dev', input: { prompt: 'a heron' } });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
  });

  test('ends with every provider named when all of them failed', async () => {
    await system.fault({ provider: 'fal', kind: 'failed' });
    await system.fault({ provider: 'openai', operation: 'submit', kind: 'status', status: 503, times: 3 });
    const routing = { allow: ['openai/gpt-image-2'] };
    const { id } = await system.submit({
      medium: 'image',
      model: 'fal/flux/dev',
      input: { prompt: 'a crow' },
      routing,
    });
    const { status, error } = await system.untilEnded(id);
    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'provider_all_failed' });
    expect(error?.message).toMatch(/fal.*openai/);
  });

  test('does not leave an exact model without being allowed to', async () => {
    await system.fault({ provider: 'fal', kind: 'failed' });
    const { id } = await system.submit({ medium: 'image', model: 'fal/flux/dev', input: { prompt: 'a swan' } });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'failed', attempts: [{ provider: 'fal' }] });
  });

  test('a refused prompt is the caller’s to mend', async () => {
    const { id } = await system.submit({
      medium: 'image',
      model: 'openai/gpt-image-2',
      input: { prompt: '[refuse] this' },
    });
    const { error } = await system.untilEnded(id);
    expect(error).toMatchObject({ code: 'provider_content_rejected', retryable: false });
  });
});

describe('a submit whose answer was lost', () => {
  test('is sent again when it is cheap enough, and the lost one stays visible as a possible cost', async () => {
    await system.fault({ provider: 'fal', kind: 'drop_after_accept' });
    const { id } = await system.submit({ medium: 'image', model: 'fal/flux/dev', input: { prompt: 'a lost letter' } });
    const resource = await system.untilEnded(id);
    expect(resource.attempts.map(({ status }) => status)).toEqual(['ambiguous', 'succeeded']);
    expect(Number(resource.cost.possibleUsd)).toBeGreaterThan(0);
  });

  test('is held for a person when it may have cost more than the policy allows', async () => {
    await system.fault({ provider: 'runway', kind: 'drop_after_accept' });
    const before = (await system.ledger()).length;
    const { id } = await system.submit({ medium: 'video', model: 'runway/gen4.5', input: { prompt: 'a lost parcel' } });
    const held = await system.until(id, ({ phase }) => phase === 'needs_attention');
    expect(held).toMatchObject({ status: 'running', attempts: [{ status: 'ambiguous' }] });
    expect(Number(held.cost.possibleUsd)).toBeGreaterThan(0);
    expect((await system.ledger()).length - before).toBe(1);
    const answer = await system.call(`/v1/generations/${id}/resolve`, { method: 'POST', body: { action: 'abandon' } });
    expect(answer.status).toBe(200);
    expect(await system.untilEnded(id)).toMatchObject({
      status: 'failed',
      error: { code: 'provider_submit_ambiguous' },
      attempts: [{ status: 'ambiguous' }],
      cost: { possibleUsd: '0' },
    });
  });

  test('goes to the next provider when the caller says so', async () => {
    await system.fault({ provider: 'runway', kind: 'drop_after_accept' });
    const { id } = await system.submit({
      medium: 'video',
      model: 'runway/gen4.5',
      input: { prompt: 'a lost umbrella' },
      onAmbiguous: 'fail_over',
      routing: { allow: ['fal/veo3.1'] },
    });
    const resource = await system.untilEnded(id);
    expect(resource.status).toBe('succeeded');
    expect(resource.attempts.map(({ provider, status }) => [provider, status])).toEqual([
      ['runway', 'ambiguous'],
      ['fal', 'succeeded'],
    ]);
  });
});

describe('results', () => {
  test('a download that breaks off is begun again', async () => {
    await system.fault({ provider: 'fal', kind: 'artifact_truncated', times: 2 });
    const { id } = await system.submit({ medium: 'image', model: 'fal/flux/dev', input: { prompt: 'a torn map' } });
    expect((await system.untilEnded(id)).status).toBe('succeeded');
  });

  test('a link that is dead ends as a lost result, with its cost, paid for no more often than the policy allows', async () => {
    await system.fault({ provider: 'fal', kind: 'artifact_expired', times: null, match: { prompt: 'a burnt map' } });
    const { id } = await system.submit({ medium: 'image', model: 'fal/flux/dev', input: { prompt: 'a burnt map' } });
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'failed', error: { code: 'provider_result_lost' } });
    // cheap enough for one more try by the policy `auto`
    expect(resource.attempts).toHaveLength(2);
    expect(resource.cost.actualUsd).toBe('0.05');
  });
});

describe('cancel and deadline', () => {
  test('a cancel ends a generation at once that waits for a rate limit to pass, and nothing is sent', async () => {
    await system.fault({ provider: 'runway', operation: 'submit', kind: 'status', status: 429, retryAfter: 600 });
    const before = (await system.ledger()).length;
    const { id } = await system.submit({
      medium: 'video',
      model: 'runway/gen4.5',
      input: { prompt: 'a road behind a barrier' },
    });
    await system.until(id, ({ attempts }) => attempts[0]?.error?.code === 'provider_rate_limited');
    await system.call(`/v1/generations/${id}/cancel`, { method: 'POST' });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'canceled' });
    await system.call('/v1/providers/runway/credentials/key-1/enable', { method: 'POST' });
    expect((await system.ledger()).length).toBe(before);
  });

  test('cancel stops the work at the provider', async () => {
    await system.fault({ provider: 'runway', kind: 'stuck' });
    const { id } = await system.submit({
      medium: 'video',
      model: 'runway/gen4.5',
      input: { prompt: 'an endless road' },
    });
    const { attempts } = await system.until(id, ({ phase }) => phase === 'polling');
    const response = await system.call(`/v1/generations/${id}/cancel`, { method: 'POST' });
    expect(response.status).toBe(202);
    expect((await system.untilEnded(id)).status).toBe('canceled');
    const operation = attempts[0]?.operation;
    await eventually(async () =>
      (await system.ledger()).find((row) => row.operation === operation && row.state === 'canceled'),
    );
    await system.until(id, (resource) => resource.attempts[0]?.status === 'canceled');
  });

  test('what is not done at its deadline is stopped at the provider and ends as expired', async () => {
    await system.fault({ provider: 'runway', kind: 'stuck' });
    const { id } = await system.submit({
      medium: 'video',
      model: 'runway/gen4.5',
      input: { prompt: 'a slow snail' },
      deadlineSeconds: 10,
    });
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'expired', attempts: [{ status: 'canceled' }] });
  });

  test('what was never sent expires free of charge', async () => {
    await system.fault({
      provider: 'elevenlabs',
      operation: 'submit',
      kind: 'status',
      status: 429,
      retryAfter: 60,
      times: null,
    });
    const { id } = await system.submit({
      medium: 'speech',
      model: 'elevenlabs/eleven_multilingual_v2',
      input: { prompt: 'Nobody will hear this.' },
      deadlineSeconds: 10,
    });
    const resource = await system.untilEnded(id);
    expect(resource).toMatchObject({ status: 'expired', cost: { actualUsd: '0', possibleUsd: '0' } });
    await system.call('/v1/providers/elevenlabs/credentials/key-1/enable', { method: 'POST' });
  });
});

describe('the workflow history', () => {
  test('of a happy generation stays under 100 events and holds neither prompt nor link nor key', async () => {
    const prompt = 'a fox that nobody may read about';
    const { id } = await system.submit({ medium: 'video', model: 'runway/gen4.5', input: { prompt } });
    await system.untilEnded(id);
    const histories = await fetchHistories(system.stack.temporalAddress ?? '', id);
    expect([...histories.keys()]).toEqual([`generation/${id}`, `generation/${id}/attempt/1`]);
    const events = [...histories.values()].flatMap((history) => (history as { events: unknown[] }).events);
    expect(events.length).toBeLessThan(100);
    const decoded = JSON.stringify([...histories.values()], (name, value: unknown) =>
      name === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : value,
    );
    expect(decoded).toContain(id);
    expect(decoded).not.toMatch(/fox|https?:|Bearer|emulator/);
  });
});

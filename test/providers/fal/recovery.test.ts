import { createFal } from '../../../src/providers/fal';
import { toSeed, toSubmission } from '../../../src/providers/fal/wire';
import type { Sent } from '../../../src/providers/provider';
import { useRecordedProvider } from '../../support/golden';
import { image, makeCall, makeInput, makeReadyInput, modelOf, secret } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createFal);
const adminKey = 'admin-key-c0ffee-do-not-leak';
const veo = modelOf('fal/veo3.1');
const trace = 'gen_1/attempt/1';
const id = '019aa111-2222-7333-8444-555566667777';

const call = (key: string | undefined = adminKey) =>
  makeCall(`${current.server.url}/fal`, {
    credential: { alias: 'test', secret, baseUrl: `${current.server.url}/fal`, adminKey: key },
  });
const keyless = () => makeCall(`${current.server.url}/fal`);

const longAgo = new Date(Date.now() - 3_600_000);
const sent = (overrides: Partial<Sent['input']> = {}, at = longAgo): Sent => ({ at, input: makeInput(overrides) });
const listed = (seed: unknown, requestId = id) => ({
  request_id: requestId,
  endpoint_id: 'fal-ai/veo3.1',
  json_input: { prompt: 'x', duration: '8s', seed },
});
const page = (items: unknown[], cursor: string | null = null) =>
  json({ items, next_cursor: cursor, has_more: cursor !== null });

const find = (what: Sent, talked = call()) => current.provider.find?.(veo, what, talked);

test('finds the request that was sent with its own seed, with the key of the account', async () => {
  current.server.answer(page([listed(7), { request_id: 'other', json_input: null }, listed(toSeed(trace))]));
  expect(await find(sent({ image: {} }))).toEqual({ id, endpoint: 'fal-ai/veo3.1/image-to-video', seconds: 8 });
  const [request, ...others] = current.server.requests;
  expect(others).toEqual([]);
  expect(request).toMatchObject({ method: 'GET', headers: { authorization: `Key ${adminKey}` } });
  const url = new URL(request?.path ?? '', current.server.url);
  expect(url.pathname).toBe('/fal/platform/v1/models/requests/by-endpoint');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    endpoint_id: 'fal-ai/veo3.1/image-to-video',
    start: new Date(longAgo.getTime() - 120_000).toISOString(),
    expand: 'payloads',
    limit: '100',
  });
});

test('turns the pages', async () => {
  current.server.answer(page([listed(7)], 'Mg=='), page([listed(toSeed(trace))]));
  expect(await find(sent())).toMatchObject({ id });
  expect(current.server.requests).toHaveLength(2);
  expect(current.server.requests[1]?.path).toContain('&cursor=Mg%3D%3D');
});

test('cannot know without the account key, with a seed of the caller, or where no seed is taken', async () => {
  current.server.answer(page([listed(7)]));
  expect(await find(sent(), keyless())).toBe('unknown');
  expect(await find(sent({ seed: 7 }))).toBe('unknown');
  const references = modelOf('fal/veo3.1/reference-to-video');
  expect(await current.provider.find?.(references, sent({ referenceImages: [image] }), call())).toBe('unknown');
  expect(current.server.requests).toEqual([]);
});

test('wants to be asked again while the list may lag, and then does not know', async () => {
  current.server.answer(page([listed(7)]));
  await expect(find(sent({}, new Date()))).rejects.toMatchObject({
    name: 'ProviderError',
    code: 'provider_timeout',
    scope: 'request',
    retryAfterMs: 15_000,
  });
  const nearlyFinal = new Date(Date.now() - 60_000 - 2_000 * veo.typicalSeconds + 5_000);
  const error: unknown = await find(sent({}, nearlyFinal))?.catch((thrown: unknown) => thrown);
  expect((error as { retryAfterMs: number }).retryAfterMs).toBeLessThanOrEqual(5_000);
  expect(await find(sent())).toBe('unknown');
});

test('takes a list that is closed to the key for no list, and trouble for trouble', async () => {
  current.server.answer(json({ error: { type: 'authorization_error', message: `no: ${adminKey}` } }, 403));
  expect(await find(sent())).toBe('unknown');
  current.server.answer(json({ detail: adminKey }, 500));
  const error: unknown = await find(sent())?.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'provider_server_error' });
  expect(String(error)).not.toContain(adminKey);
  current.server.answer(json({ requests: [] }));
  await expect(find(sent())).rejects.toMatchObject({ code: 'provider_bad_response' });
});

describe('all work of some traces', () => {
  const traces = ['gen_1/attempt/1', 'gen_2/attempt/1'] as const;
  const findAll = (model = veo, key: string | undefined = adminKey) =>
    current.provider.findAll?.(model, longAgo, { ...(key === '' ? keyless() : call(key)), traces });

  test('is found by its seeds at every endpoint of the model', async () => {
    current.server.answer(
      page([listed(toSeed(traces[0]), 'a'), listed(1, 'b')]),
      page([listed(toSeed(traces[1]), 'c'), listed(toSeed(traces[0]), 'd')]),
      page([]),
    );
    expect(await findAll()).toEqual([
      { trace: traces[0], operation: { id: 'a', endpoint: 'fal-ai/veo3.1', seconds: 8 } },
      { trace: traces[1], operation: { id: 'c', endpoint: 'fal-ai/veo3.1/image-to-video', seconds: 8 } },
      { trace: traces[0], operation: { id: 'd', endpoint: 'fal-ai/veo3.1/image-to-video', seconds: 8 } },
    ]);
    expect(
      current.server.requests.map(({ path }) => new URL(path, current.server.url).searchParams.get('endpoint_id')),
    ).toEqual(['fal-ai/veo3.1', 'fal-ai/veo3.1/image-to-video', 'fal-ai/veo3.1/first-last-frame-to-video']);
  });

  test('cannot be listed without the account key or where no seed is taken', async () => {
    current.server.answer(page([]));
    expect(await findAll(veo, '')).toEqual([]);
    expect(await findAll(modelOf('fal/veo3.1/reference-to-video'))).toEqual([]);
    expect(current.server.requests).toEqual([]);
  });

  test('says so where the key does not open the list', async () => {
    current.server.answer(json({ detail: 'no' }, 401));
    await expect(findAll()).rejects.toMatchObject({ code: 'provider_auth' });
  });
});

test('draws no seed for an endpoint that would refuse it', () => {
  const narrow = { ...veo, capabilities: { ...veo.capabilities, seed: { minimum: 0, maximum: 999, step: 1 } } };
  expect(toSubmission(narrow, makeReadyInput(), trace).input).not.toHaveProperty('seed');
  expect(toSubmission(narrow, makeReadyInput({ seed: 7 }), trace).input).toMatchObject({ seed: 7 });
  expect(toSubmission(veo, makeReadyInput(), trace).input).toMatchObject({ seed: toSeed(trace) });
});

test('draws other seeds for other attempts, all of them within what endpoints take', () => {
  const seeds = Array.from({ length: 2_000 }, (_unused, index) => toSeed(`gen_01JD/attempt/${index}`));
  expect(new Set(seeds).size).toBe(2_000);
  expect(Math.min(...seeds)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...seeds)).toBeLessThan(2 ** 31);
});

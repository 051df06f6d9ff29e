import { ulid } from 'ulid';
import type { Workflows } from '../../src/api/dependencies';
import type { GenerationRequest } from '../../src/domain/generation';
import { catalogue } from '../../src/providers/catalogue';
import { pngOf } from '../support/media-bytes';
import { endGeneration, startApi, videoRequest, withKey, type Answer, type ApiServer } from './api-server';

type Started = Parameters<Workflows['start']>[0];

let api: ApiServer;
/** What the workflow service was told to begin, in order. */
const started: Started[] = [];

const workflows: Workflows = {
  start: (generation) => void started.push(generation),
  cancel: () => Promise.resolve(),
  resolve: () => Promise.resolve(),
  callBack: () => Promise.resolve(),
  isReachable: () => Promise.resolve(true),
  probe: () => Promise.reject(new Error('no workflow service here')),
};

beforeAll(async () => {
  api = await startApi({ workflows });
});

afterAll(() => api.close());

type Row = { status: string; [column: string]: unknown };
type Made = { status?: string; attempts?: Row[]; request?: object; headers?: Record<string, string> };

/** A generation that ended as given, with these attempts in its ledger. */
const make = async ({ status = 'failed', attempts = [], request = {}, headers = {} }: Made = {}): Promise<string> => {
  const answer = await api.call('POST /v1/generations', { ...videoRequest, ...request }, headers);
  if (answer.status !== 202) throw new Error(answer.body.detail);
  const { id } = answer.body;
  for (const [index, attempt] of attempts.entries())
    await api.database.attempt.create({
      data: {
        ...{ generationId: id, number: index + 1, provider: 'mock', model: 'mock/video', priceVersion: 'made up' },
        ...{ credential: 'main', sentAt: new Date(), estimatedUsd: '2' },
        ...attempt,
      },
    });
  await endGeneration(api.database, id, status);
  return id;
};

/** Paid work of an attempt; another operation each time. */
const paid = (status: string, more: object = {}): Row => {
  const id = `operation-${ulid()}`;
  return { status, operationId: id, operation: { id, endpoint: 'somewhere' }, submittedAt: new Date(), ...more };
};

const rerun = (id: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  api.call(`POST /v1/generations/${id}/rerun`, body, headers);

const attemptsOf = (generationId: string) =>
  api.database.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } });

const requestOf = async (id: string): Promise<GenerationRequest> =>
  (await api.database.generation.findUniqueOrThrow({ where: { id } })).request as GenerationRequest;

const countAll = (): Promise<number> => api.database.generation.count();

const refuses = async (act: () => Promise<Answer>, expected: { status: number; code: string }): Promise<Answer> => {
  const before = await countAll();
  const answer = await act();
  expect({ status: answer.status, code: answer.body.code }).toEqual(expected);
  expect(await countAll()).toBe(before);
  return answer;
};

const conflict = { status: 409, code: 'caller_conflict' };
const invalid = { status: 422, code: 'caller_invalid_request' };

describe('what can be run again', () => {
  test.each(['failed', 'canceled', 'expired'])('a generation that is %s: a new one, which says so', async (status) => {
    const id = await make({ status });
    const answer = await rerun(id);
    expect(answer).toMatchObject({ status: 202, body: { rerunOf: id, status: 'queued', attempts: [] } });
    expect(answer.headers.get('location')).toBe(`/v1/generations/${answer.body.id}`);
    expect(answer.body.id).not.toBe(id);
    expect(started.at(-1)).toMatchObject({ id: answer.body.id, medium: 'video' });
    expect(await requestOf(answer.body.id)).toEqual(await requestOf(id));
  });

  test.each(['succeeded', 'running', 'queued'])('not one that is %s', async (status) => {
    const id = await make({ status });
    const { body } = await refuses(() => rerun(id), conflict);
    expect(body.detail).toContain(status);
  });

  test('not what there is not, nor what is another tenant’s, nor without the right', async () => {
    const id = await make();
    const stranger = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['submit'] }));
    const reader = withKey(await api.addKey({ scopes: ['read'] }));
    await refuses(() => rerun(`gen_${ulid()}`), { status: 404, code: 'caller_not_found' });
    await refuses(() => rerun(id, {}, stranger), { status: 404, code: 'caller_not_found' });
    await refuses(() => rerun(id, {}, reader), { status: 403, code: 'caller_forbidden' });
    await refuses(() => rerun(id, {}, { Authorization: 'Bearer sk_of_nobody' }), {
      status: 401,
      code: 'caller_unauthenticated',
    });
  });

  test('of re-runs asked for at the same time exactly one is accepted', async () => {
    const id = await make();
    const before = await countAll();
    const answers = await Promise.all(Array.from({ length: 6 }, () => rerun(id)));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409, 409]);
    for (const { status, body } of answers) if (status === 409) expect(body.code).toBe('caller_conflict');
    expect(await countAll()).toBe(before + 1);
  });

  test('a chain: the re-run of a re-run, and the original goes on from the end of the chain', async () => {
    const [first, operation] = [await make({ attempts: [paid('submitted')] }), 'operation'];
    const second = (await rerun(first)).body.id;
    await refuses(() => rerun(first), conflict);
    await endGeneration(api.database, second, 'failed');
    const third = (await rerun(second)).body;
    expect(third).toMatchObject({ rerunOf: second });
    await endGeneration(api.database, third.id, 'canceled');
    const fourth = (await rerun(first)).body;
    expect(fourth).toMatchObject({ rerunOf: third.id, attempts: [{ number: 1, status: 'submitted' }] });
    const owners = await api.database.attempt.findMany({
      where: { generationId: { in: [first, second, third.id, fourth.id] }, operationId: { startsWith: operation } },
    });
    expect(owners.map(({ generationId }) => generationId)).toEqual([fourth.id]);
    expect(owners[0]?.adoptedFrom).toBe(`${third.id}/1`);
  });

  test.each([
    ['a field that there is not', { wish: 1 }, '/wish'],
    ['a step that there is not', { from: 'middle' }, '/from'],
    ['overrides that are no object', { overrides: 'model=auto' }, '/overrides'],
  ])('not with %s', async (_what, body, pointer) => {
    const id = await make();
    const answer = await refuses(() => rerun(id, body), invalid);
    expect(answer.body.errors.map((error) => error.pointer)).toEqual([pointer]);
  });
});

describe('a submit that nobody knows the fate of', () => {
  test('has to be resolved first, or is run from the start', async () => {
    const ambiguous = { status: 'ambiguous', possibleCostUsd: '2', errorCode: 'provider_submit_ambiguous' };
    const id = await make({ attempts: [ambiguous] });
    const { body } = await refuses(() => rerun(id, { from: 'failed_step' }), conflict);
    expect(body.detail).toMatch(/resolve it first.*from start/);
    const anew = await rerun(id, { from: 'start' });
    expect(anew).toMatchObject({ status: 202, body: { attempts: [] } });
    expect((await attemptsOf(id))[0]).toMatchObject({ status: 'ambiguous' });
  });

  test('does not hold up the next run once a person has decided about it', async () => {
    const attempt = {
      ...{ status: 'ambiguous', possibleCostUsd: '2', errorCode: 'provider_submit_ambiguous' },
      resolution: { action: 'abandon', operation: null, at: '2026-11-21T12:00:00Z' },
    };
    expect(await rerun(await make({ attempts: [attempt] }))).toMatchObject({ status: 202, body: { attempts: [] } });
  });

  test('is asked after again soon while its sender may still be sending', async () => {
    const id = await make({
      status: 'canceled',
      attempts: [{ status: 'submitting', sendTimeoutMs: 60_000, epoch: 1 }],
    });
    const { headers } = await refuses(() => rerun(id), conflict);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await rerun(id, { from: 'start' })).status).toBe(202);
  });
});

describe('overrides', () => {
  test('of what is beside the work keep what was paid for it', async () => {
    const id = await make({ attempts: [paid('submitted')] });
    const overrides = {
      ...{ priority: 'high', deadlineSeconds: 60, onAmbiguous: 'hold', user: 'somebody' },
      ...{ metadata: { order: '7' }, tags: ['again'] },
    };
    const { status, body } = await rerun(id, { overrides });
    expect({ status, body }).toMatchObject({
      status: 202,
      body: {
        ...{ user: 'somebody', metadata: { order: '7' }, tags: ['again'] },
        attempts: [{ number: 1, status: 'submitted' }],
      },
    });
    expect(await requestOf(body.id)).toMatchObject({ ...overrides, model: 'mock/video' });
    const row = await api.database.generation.findUniqueOrThrow({ where: { id: body.id } });
    expect(row.deadlineAt.getTime() - row.createdAt.getTime()).toBe(60_000);
  });

  test.each<[string, { model?: string; input?: object; routing?: object }]>([
    ['the model', { model: 'fal/veo3.1' }],
    ['the input', { input: { prompt: 'another lighthouse' } }],
    ['the routing', { routing: { strategy: 'cost' } }],
  ])('of %s make it other work: nothing is taken over, the rest stays', async (_what, overrides) => {
    const id = await make({ attempts: [paid('submitted')] });
    const { status, body } = await rerun(id, { overrides });
    expect({ status, attempts: body.attempts }).toEqual({ status: 202, attempts: [] });
    const [before, after] = [await requestOf(id), await requestOf(body.id)];
    const { input = {}, routing = {}, ...others } = overrides;
    expect(after).toEqual({
      ...before,
      ...others,
      input: { ...before.input, ...input },
      routing: { ...before.routing, ...routing },
    });
    expect((await attemptsOf(id))[0]).toMatchObject({ status: 'submitted' });
  });

  test.each([
    ['a medium', { medium: 'image' }, '/overrides/medium', /medium/],
    ['a field that there is not', { wish: 1 }, '/overrides/wish', /not a field/],
    ['an input field that there is not', { input: { wish: 1 } }, '/overrides/input/wish', /not a field/],
    ['an input that is none', { input: null }, '/overrides/input', /./],
    ['a value out of range', { deadlineSeconds: 1 }, '/overrides/deadlineSeconds', /10/],
    ['what the model cannot do', { input: { durationSeconds: 7 } }, '/overrides/input/durationSeconds', /one of/],
    ['a model that there is not', { model: 'mock/opera' }, '/overrides/model', /must be auto/],
    ['a provider that there is not', { routing: { allow: ['nobody'] } }, '/overrides/routing/allow/0', /not a model/],
    [
      'an upload that there is not',
      { input: { image: { upload: 'up_1' } } },
      '/overrides/input/image/upload',
      /upload/,
    ],
  ])('with %s are refused, with the place', async (_what, overrides, pointer, detail) => {
    const id = await make({ attempts: [paid('submitted')] });
    const { body } = await refuses(() => rerun(id, { overrides }), invalid);
    expect(body.errors).toEqual([{ pointer, detail: expect.stringMatching(detail) as string }]);
    expect((await attemptsOf(id))[0]).toMatchObject({ status: 'submitted' });
    expect(await rerun(id)).toMatchObject({ status: 202 });
  });

  test('to a model that was retired are refused with its successor', async () => {
    const id = await make();
    const { body } = await refuses(() => rerun(id, { overrides: { model: 'fal/veo2' } }), {
      status: 422,
      code: 'caller_model_retired',
    });
    expect(body.errors).toEqual([
      { pointer: '/overrides/model', detail: expect.stringContaining('fal/veo3.1') as string },
    ]);
  });

  test('keep images and videos where they are stored, however they came', async () => {
    const image = { base64: pngOf(1_000).toString('base64'), contentType: 'image/png' };
    const uploaded = await api.call('POST /v1/uploads', pngOf(2_000), { 'Content-Type': 'image/png' });
    const input = {
      ...{ prompt: 'a kite', image, lastFrame: { upload: uploaded.body.id } },
      referenceImages: [{ url: 'https://example.com/a.png' }],
    };
    const id = await make({ request: { input } });
    const before = (await requestOf(id)).input;
    expect(before.image).toMatchObject({ origin: { inline: true }, stored: { key: `inputs/${id}/image` } });
    const again = (await rerun(id, { overrides: { input: { prompt: 'two kites' } } })).body.id;
    expect((await requestOf(again)).input).toEqual({ ...before, prompt: 'two kites' });
  });

  test('of an image are looked up and stored for the new generation; null takes one away', async () => {
    const inline = (bytes: number): object => ({ base64: pngOf(bytes).toString('base64'), contentType: 'image/png' });
    const id = await make({ request: { input: { prompt: 'a kite', image: inline(1_000), lastFrame: inline(1_500) } } });
    const overrides = { input: { image: inline(3_000), lastFrame: null } };
    const again = (await rerun(id, { overrides })).body.id;
    const { image, lastFrame, prompt } = (await requestOf(again)).input;
    expect({ lastFrame, prompt }).toEqual({ lastFrame: null, prompt: 'a kite' });
    expect(image?.stored).toMatchObject({ key: `inputs/${again}/image`, bytes: 3_000 });
    expect(await api.blobKeys()).toEqual(expect.arrayContaining([`inputs/${id}/image`, `inputs/${again}/image`]));
    await endGeneration(api.database, again, 'failed');

    const upload = await api.call('POST /v1/uploads', pngOf(4_000), { 'Content-Type': 'image/png' });
    const other = (await rerun(again, { overrides: { input: { image: { upload: upload.body.id } } } })).body;
    expect(other.input.image).toEqual({ upload: upload.body.id, contentType: 'image/png', bytes: 4_000 });
  });

  test('leave no bytes behind when the re-run is refused', async () => {
    const id = await make({ status: 'succeeded' });
    const before = (await api.blobKeys()).sort();
    const image = { base64: pngOf(1_000).toString('base64'), contentType: 'image/png' };
    await refuses(() => rerun(id, { overrides: { input: { image } } }), conflict);
    expect((await api.blobKeys()).sort()).toEqual(before);
  });
});

// Promise 8: "The same request twice is one generation (idempotency key), across replicas and restarts."
describe('Idempotency-Key', () => {
  const withIdempotency = (key: string): Record<string, string> => ({ 'Idempotency-Key': key });

  test('the same key and body are one re-run, also when asked for at the same time', async () => {
    const id = await make();
    const key = withIdempotency(`again-${id}`);
    const answers = await Promise.all(Array.from({ length: 4 }, () => rerun(id, { from: 'start' }, key)));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    const replayed = answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true');
    expect(replayed).toHaveLength(3);
    expect(started.filter((generation) => generation.id === answers[0]?.body.id)).toHaveLength(1);
  });

  test('the same key is answered as before also when the re-run has ended, and with its state', async () => {
    const id = await make();
    const key = withIdempotency(`later-${id}`);
    const first = await rerun(id, {}, key);
    await endGeneration(api.database, first.body.id, 'failed');
    const second = await rerun(id, {}, key);
    expect(second).toMatchObject({ body: { id: first.body.id, status: 'failed' } });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
  });

  test('is answered as before also when what was asked for is not sold any more', async () => {
    const id = await make();
    const [key, body] = [withIdempotency(`sold-${id}`), { overrides: { model: 'fal/veo3.1' } }];
    const first = await rerun(id, body, key);
    // a replica that is a version ahead
    const later = await startApi({
      database: api.database,
      catalogue: catalogue.filter(({ id: model }) => model !== 'fal/veo3.1'),
    });
    try {
      const second = await later.call(`POST /v1/generations/${id}/rerun`, body, key);
      expect(second).toMatchObject({ status: 202, body: { id: first.body.id } });
      expect(await later.call(`POST /v1/generations/${await make()}/rerun`, body)).toMatchObject({ status: 422 });
    } finally {
      await later.close();
    }
  });

  test('with another body it is refused', async () => {
    const id = await make();
    const key = withIdempotency(`other-${id}`);
    await rerun(id, { from: 'start' }, key);
    await refuses(() => rerun(id, { from: 'failed_step' }, key), {
      status: 422,
      code: 'caller_idempotency_key_reused',
    });
  });

  test('is not shared with new generations, nor with the re-run of another one', async () => {
    const [one, other] = [await make(), await make()];
    const key = withIdempotency(`shared-${one}`);
    const ids = [
      (await api.call('POST /v1/generations', videoRequest, key)).body.id,
      (await rerun(one, {}, key)).body.id,
      (await rerun(other, {}, key)).body.id,
    ];
    expect(new Set(ids).size).toBe(3);
  });

  test('is not used up by a re-run that was refused', async () => {
    const id = await make({ status: 'running' });
    const key = withIdempotency(`early-${id}`);
    await refuses(() => rerun(id, {}, key), conflict);
    await endGeneration(api.database, id, 'failed');
    expect((await rerun(id, {}, key)).status).toBe(202);
  });
});

describe('several at once', () => {
  type Bulk = { data: { id: string; rerunOf: string }[]; skipped: { id: string; code: string; message: string }[] };

  const bulk = async (tenant: Record<string, string>, body?: unknown): Promise<Bulk> => {
    const { status, body: answer } = await api.call('POST /v1/generations/rerun', body, tenant);
    expect(status).toBe(202);
    return answer as unknown as Bulk;
  };

  /** Nobody else's generations are in the way. */
  const ownTenant = async (): Promise<Record<string, string>> =>
    withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['submit', 'read'] }));

  test('are the oldest that fit the filter, as many as wanted, and none of them twice', async () => {
    const headers = await ownTenant();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.push(await make({ headers, request: { tags: ['nightly'] } }));
    await make({ headers });
    await make({ headers, request: { tags: ['nightly'] }, status: 'succeeded' });
    const wanted = { filter: { status: 'failed', medium: 'video', tag: 'nightly' }, limit: 3 };
    const first = await bulk(headers, wanted);
    expect(first.data.map(({ rerunOf }) => rerunOf)).toEqual(ids.slice(0, 3));
    const second = await bulk(headers, wanted);
    expect(second.data.map(({ rerunOf }) => rerunOf)).toEqual(ids.slice(3));
    expect(await bulk(headers, wanted)).toEqual({ data: [], skipped: [] });
  });

  test('are chosen by provider and status, and all of them without a filter', async () => {
    const headers = await ownTenant();
    const atFal = await make({ headers, attempts: [{ status: 'rejected', provider: 'fal', model: 'fal/veo3.1' }] });
    const canceled = await make({ headers, status: 'canceled' });
    const expired = await make({ headers, status: 'expired' });
    expect((await bulk(headers, { filter: { provider: 'fal' } })).data.map(({ rerunOf }) => rerunOf)).toEqual([atFal]);
    expect((await bulk(headers, { filter: { status: 'expired' } })).data).toMatchObject([{ rerunOf: expired }]);
    expect((await bulk(headers)).data).toMatchObject([{ rerunOf: canceled }]);
  });

  test('begin one after the other at the wanted pace', async () => {
    const headers = await ownTenant();
    for (let index = 0; index < 4; index += 1) await make({ headers });
    const { data } = await bulk(headers, { perMinute: 30 });
    const delays = data.map(({ id }) => started.find((generation) => generation.id === id)?.delayMs);
    expect(delays).toEqual([0, 2_000, 4_000, 6_000]);
  });

  test('tell what could not be run again and why; the others go on without it', async () => {
    const headers = await ownTenant();
    const ambiguous = await make({
      headers,
      attempts: [{ status: 'ambiguous', errorCode: 'provider_submit_ambiguous' }],
    });
    const sending = await make({ headers, attempts: [{ status: 'submitting', epoch: 1 }] });
    const [one, two] = [await make({ headers }), await make({ headers, attempts: [paid('submitted')] })];
    const { data, skipped } = await bulk(headers, {});
    expect(data.map(({ rerunOf }) => rerunOf)).toEqual([one, two]);
    expect(skipped).toEqual([
      {
        id: ambiguous,
        code: 'caller_conflict',
        message: expect.stringMatching(/resolve it first/) as string,
        retryable: false,
      },
      {
        id: sending,
        code: 'caller_conflict',
        message: expect.stringMatching(/still being settled/) as string,
        retryable: false,
      },
    ]);
    expect(data.map(({ id }) => started.find((generation) => generation.id === id)?.delayMs)).toEqual([0, 1_000]);
    const anew = await bulk(headers, { from: 'start' });
    expect(anew.data.map(({ rerunOf }) => rerunOf)).toEqual([ambiguous, sending]);
  });

  test('two requests at the same time re-run each of them once', async () => {
    const headers = await ownTenant();
    for (let index = 0; index < 6; index += 1) await make({ headers });
    const answers = await Promise.all([bulk(headers), bulk(headers), bulk(headers)]);
    const sources = answers.flatMap(({ data }) => data.map(({ rerunOf }) => rerunOf));
    expect(sources).toHaveLength(6);
    expect(new Set(sources).size).toBe(6);
  });

  test.each([
    ['a limit above 100', { limit: 101 }, '/limit'],
    ['a pace of nothing', { perMinute: 0 }, '/perMinute'],
    ['a status that cannot be run again', { filter: { status: 'succeeded' } }, '/filter/status'],
    ['an unknown filter', { filter: { wish: 1 } }, '/filter/wish'],
    ['overrides', { overrides: { model: 'auto' } }, '/overrides'],
  ])('are refused with %s', async (_what, body, pointer) => {
    const answer = await api.call('POST /v1/generations/rerun', body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'caller_invalid_request', errors: [{ pointer }] } });
  });
});

import type { GenerationRequest } from '../../src/domain/generation';
import { catalogue } from '../../src/providers/catalogue';
import { endGeneration, startApi, withKey, type Answer, type ApiServer } from './api-server';

const configured = new Set(['mock', 'fal', 'runway', 'openai']);
const routing = {
  strategy: 'balanced',
  defaults: { image: { model: 'openai/gpt-image-2', fallback: 'fal/flux/dev' } },
  experiments: [],
  unknownPrices: 'block',
} as const;

let api: ApiServer;
/** Of a tenant of its own for each test. */
let key: Record<string, string>;
let tenant: string;

beforeAll(async () => {
  api = await startApi({ configured, routing });
});

afterAll(() => api.close());

beforeEach(async () => {
  tenant = await api.addTenant();
  key = withKey(await api.addKey({ tenant, scopes: ['admin'] }));
});

const put = (body: unknown, user?: string): Promise<Answer> =>
  api.call(`PUT /v1/preferences${user === undefined ? '' : `?user=${user}`}`, body, key);

const get = (user?: string): Promise<Answer> =>
  api.call(`GET /v1/preferences${user === undefined ? '' : `?user=${user}`}`, undefined, key);

const unset = { model: null, strategy: null };
const nothing = { video: unset, image: unset, speech: unset, text: unset };

const keyWith = async (...scopes: ('submit' | 'read' | 'operate')[]): Promise<Record<string, string>> =>
  withKey(await api.addKey({ tenant, scopes }));

describe('what is preferred', () => {
  test('is nothing at first', async () => {
    expect(await get()).toMatchObject({ status: 200, body: nothing });
    expect((await get('ann')).body).toEqual(nothing);
  });

  test('is kept for the tenant and for each of its users', async () => {
    const video = { model: 'fal/veo3.1', strategy: 'quality' };
    expect(await put({ video })).toMatchObject({ status: 200, body: { ...nothing, video } });
    const ann = await put({ video: { strategy: 'cost' }, text: { model: 'auto' } }, 'ann');
    expect(ann.body).toEqual({
      ...nothing,
      video: { model: null, strategy: 'cost' },
      text: { model: 'auto', strategy: null },
    });
    expect((await get()).body).toEqual({ ...nothing, video });
    expect((await get('ann')).body).toEqual(ann.body);
    expect((await get('bob')).body).toEqual(nothing);
    const stranger = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['admin'] }));
    expect((await api.call('GET /v1/preferences', undefined, stranger)).body).toEqual(nothing);
  });

  test('stays where a change does not name it, and goes where it is null', async () => {
    await put({ video: { model: 'fal/veo3.1', strategy: 'cost' }, text: { strategy: 'speed' } });
    await put({ video: { model: null }, image: { strategy: 'weighted' } });
    expect((await get()).body).toEqual({
      ...nothing,
      video: { model: null, strategy: 'cost' },
      image: { model: null, strategy: 'weighted' },
      text: { model: null, strategy: 'speed' },
    });
    expect((await put({ video: null, image: null, text: { strategy: null } })).body).toEqual(nothing);
  });

  test('what is answered can be sent as it is', async () => {
    await put({ video: { model: 'veo-3.1' } });
    const { body } = await get();
    expect((await put(body)).body).toEqual(body);
  });
});

test.each<[string, unknown, string, RegExp]>([
  ['a medium that there is not', { smell: {} }, '/smell', /not a field/],
  ['a member that there is not', { video: { colour: 'red' } }, '/video/colour', /not a field/],
  ['a strategy that there is not', { video: { strategy: 'cheapest' } }, '/video/strategy', /one of balanced, /],
  ['a model that there is not', { video: { model: 'fal/opera' } }, '/video/model', /is no video model/],
  ['a model of another medium', { image: { model: 'fal/veo3.1' } }, '/image/model', /is no image model/],
  ['a retired model', { video: { model: 'fal/veo2' } }, '/video/model', /retired on 2026-06-30; use fal\/veo3\.1/],
])('%s is refused, and nothing of the change is kept', async (_what, body, pointer, detail) => {
  const whole = { speech: { strategy: 'cost' }, ...(body as object) };
  const answer = await put(whole);
  expect(answer).toMatchObject({ status: 422, body: { code: 'caller_invalid_request' } });
  expect(answer.body.errors).toEqual([{ pointer, detail: expect.stringMatching(detail) as string }]);
  expect((await get()).body).toEqual(nothing);
});

test.each(['?user=', '?colour=red', '?user=a&user=b', `?user=${'x'.repeat(257)}`])('%s is no query', async (query) => {
  expect(await api.call(`GET /v1/preferences${query}`, undefined, key)).toMatchObject({
    status: 400,
    body: { code: 'caller_malformed' },
  });
});

test('a key of a service speaks for its users, not for the tenant', async () => {
  const body = { video: { strategy: 'cost' } };
  const [service, reader] = [await keyWith('submit', 'operate'), await keyWith('read')];
  expect((await api.call('PUT /v1/preferences?user=ann', body, service)).status).toBe(200);
  expect(await api.call('PUT /v1/preferences', body, service)).toMatchObject({
    status: 403,
    body: { code: 'caller_forbidden' },
  });
  expect((await api.call('PUT /v1/preferences?user=ann', body, reader)).status).toBe(403);
  expect((await api.call('GET /v1/preferences?user=ann', undefined, reader)).status).toBe(200);
  expect((await api.call('GET /v1/preferences', undefined, service)).status).toBe(403);
  const wrong = await api.call('POST /v1/preferences', {}, key);
  expect(wrong.status).toBe(405);
  expect(wrong.headers.get('allow')).toBe('GET, PUT');
});

type Estimate = { strategy: string; chosen: string | null; candidates: { model: string }[]; warnings: string[] };

const estimate = async (body: object): Promise<Estimate> => {
  const answer = await api.call('POST /v1/estimates', { ...body }, key);
  expect(answer.status).toBe(200);
  return answer.body as unknown as Estimate;
};

const video = { medium: 'video', input: { prompt: 'a lighthouse', durationSeconds: 8 } };
const image = { medium: 'image', input: { prompt: 'a lighthouse' } };

describe('a request that leaves it open', () => {
  test('goes by its user before its tenant before the operator', async () => {
    expect((await estimate(image)).chosen).toBe('openai/gpt-image-2');
    await put({ image: { model: 'fal/flux/dev', strategy: 'speed' } });
    await put({ image: { model: 'mock/image' } }, 'ann');
    expect(await estimate(image)).toMatchObject({ chosen: 'fal/flux/dev', strategy: 'speed', warnings: [] });
    const ann = await estimate({ ...image, user: 'ann' });
    expect(ann).toMatchObject({ chosen: 'mock/image', strategy: 'speed' });
    expect(ann.candidates.map(({ model }) => model)).toEqual(['mock/image']);
    expect((await estimate({ ...image, user: 'bob' })).chosen).toBe('fal/flux/dev');
  });

  test('prefers nothing to what it says itself', async () => {
    await put({ video: { model: 'mock/video', strategy: 'quality' } });
    expect(await estimate({ ...video, model: 'runway/gen4.5' })).toMatchObject({ chosen: 'runway/gen4.5' });
    expect(await estimate({ ...video, provider: 'fal' })).toMatchObject({
      chosen: expect.stringMatching(/^fal/) as string,
    });
    expect(await estimate({ ...video, routing: { allow: ['runway'] } })).toMatchObject({
      chosen: expect.stringMatching(/^runway/) as string,
      strategy: 'quality',
    });
    const named = await estimate({ ...video, model: 'auto', routing: { strategy: 'cost' } });
    expect(named).toMatchObject({ strategy: 'cost' });
    expect(named.candidates.length).toBeGreaterThan(2);
  });

  test('may be left to the service by a user, whatever tenant and operator prefer', async () => {
    await put({ image: { model: 'mock/image' } });
    await put({ image: { model: 'auto' } }, 'ann');
    expect((await estimate({ ...image, user: 'ann' })).candidates.length).toBeGreaterThan(2);
  });

  test('passes over a preference that this request rules out, and says so', async () => {
    await put({ image: { model: 'fal/flux/dev' } });
    const { chosen, warnings } = await estimate({ ...image, routing: { deny: ['fal'] } });
    expect(chosen).toBe('openai/gpt-image-2');
    expect(warnings).toEqual([
      'the tenant prefers fal/flux/dev, which was passed over. fal/flux/dev: denied by routing.deny',
    ]);
    const capped = await estimate({ ...image, routing: { maxCostUsd: '0.00001' } });
    expect(capped.warnings[0]).toContain('more than routing.maxCostUsd');
  });

  test.each<[string, Partial<(typeof catalogue)[number]>, RegExp]>([
    ['was retired', { lifecycle: { retiredOn: '2026-11-20' } }, /retired on 2026-11-20/],
    ['was switched off', { enabled: false }, /switched off/],
    ['has no known price any more', { price: null }, /price of this request is not known/],
    ['has gone', { id: 'fal/else', providerModel: 'else', family: 'else' }, /there is no such model any more/],
  ])('goes on without a preferred model that %s', async (_what, change, why) => {
    const changed = catalogue.map((model) => (model.id === 'fal/veo3.1' ? { ...model, ...change } : model));
    const { database } = api;
    const later = await startApi({ configured, routing, database, catalogue: changed });
    try {
      await put({ video: { model: 'fal/veo3.1' } }, 'ann');
      await put({ video: { model: 'runway/gen4.5' } });
      const answer = await later.call('POST /v1/generations', { ...video, user: 'ann' }, key);
      expect(answer.status).toBe(202);
      const row = await database.generation.findUniqueOrThrow({ where: { id: answer.body.id } });
      expect(row.request).toMatchObject({ model: 'runway/gen4.5', modelFrom: 'tenant' });
      const { warnings = [] } = row.request as GenerationRequest;
      expect(warnings).toEqual([expect.stringMatching(why)]);
    } finally {
      await later.close();
    }
  });
});

describe('a generation', () => {
  const make = async (body: object): Promise<string> => {
    const answer = await api.call('POST /v1/generations', body, key);
    expect(answer.status).toBe(202);
    return answer.body.id;
  };
  const requestOf = async (id: string): Promise<GenerationRequest> =>
    (await api.database.generation.findUniqueOrThrow({ where: { id } })).request as GenerationRequest;

  test('is stored with what was preferred, and by whom', async () => {
    await put({ video: { model: 'fal/veo3.1', strategy: 'speed' } });
    expect(await requestOf(await make(video))).toMatchObject({
      ...{ model: 'fal/veo3.1', modelFrom: 'tenant' },
      routing: { strategy: 'speed', allow: [] },
    });
    expect(await requestOf(await make(image))).toMatchObject({
      ...{ model: 'openai/gpt-image-2', modelFrom: 'defaults' },
      routing: { allow: ['fal/flux/dev'] },
    });
    expect(await requestOf(await make({ ...video, model: 'fal/veo3.1' }))).not.toHaveProperty('modelFrom');
  });

  test('stays with its model in a re-run that changes only what is beside the work', async () => {
    await put({ video: { model: 'fal/veo3.1' } });
    const id = await make(video);
    await endGeneration(api.database, id, 'failed');
    await put({ video: { model: 'runway/gen4.5' } });
    const again = await api.call(`POST /v1/generations/${id}/rerun`, { overrides: { priority: 'high' } }, key);
    expect(again.status).toBe(202);
    expect(await requestOf(again.body.id)).toMatchObject({
      model: 'fal/veo3.1',
      modelFrom: 'tenant',
      priority: 'high',
    });
  });

  test('goes by what is preferred now in a re-run that leaves its model open', async () => {
    const id = await make({ ...video, model: 'fal/veo3.1' });
    await endGeneration(api.database, id, 'failed');
    await put({ video: { model: 'runway/gen4.5', strategy: 'cost' } });
    const overrides = { model: null, routing: { strategy: null } };
    const again = await api.call(`POST /v1/generations/${id}/rerun`, { overrides }, key);
    expect(again.status).toBe(202);
    expect(await requestOf(again.body.id)).toMatchObject({
      ...{ model: 'runway/gen4.5', modelFrom: 'tenant' },
      routing: { strategy: 'cost' },
    });
  });
});

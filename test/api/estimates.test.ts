import type { Candidate } from '../../src/domain/generation';
import { catalogue } from '../../src/providers/catalogue';
import { tinyPng } from '../support/provider-calls';
import { startApi, type ApiServer } from './api-server';

const configured = new Set(['mock', 'fal', 'runway', 'openai']);
const routing = {
  strategy: 'cost',
  defaults: { video: { model: 'runway/gen4.5', fallback: 'fal/veo3.1' } },
  experiments: [],
  unknownPrices: 'block',
} as const;

let api: ApiServer;
beforeAll(async () => {
  api = await startApi({ configured, routing });
});
afterAll(() => api.close());

type Estimate = { strategy: string; candidates: Candidate[]; chosen: string | null };

const estimate = async (body: object): Promise<Estimate> => {
  const answer = await api.call('POST /v1/estimates', body);
  expect(answer.status).toBe(200);
  return answer.body as unknown as Estimate;
};

const video = { medium: 'video', input: { prompt: 'a lighthouse', durationSeconds: 8 } };

test('says what a generation would be tried on, in order, with the price of each', async () => {
  const { candidates, chosen } = await estimate({ ...video, model: 'fal/veo3.1' });
  expect(chosen).toBe('fal/veo3.1');
  expect(candidates).toEqual([
    expect.objectContaining({ model: 'fal/veo3.1', estimatedCostUsd: '3.2', excluded: null }),
  ]);
});

test('chooses as a generation of the same body would be', async () => {
  const body = { medium: 'image', input: { prompt: 'a lighthouse' } };
  const { chosen, candidates } = await estimate(body);
  const costs = candidates
    .filter(({ excluded }) => excluded === null)
    .map((candidate) => Number(candidate.estimatedCostUsd));
  expect(costs).toEqual([...costs].sort((left, right) => left - right));
  expect(candidates[0]?.model).toBe(chosen);
  expect(candidates.find(({ provider }) => provider === 'elevenlabs')).toBeUndefined();
});

test('takes the configured model, its fallback and the configured strategy where the body names none', async () => {
  const { strategy, candidates, chosen } = await estimate(video);
  expect(strategy).toBe('cost');
  expect(chosen).toBe('runway/gen4.5');
  expect(candidates.map(({ model }) => model)).toEqual(['runway/gen4.5', 'fal/veo3.1']);
  const narrowed = await estimate({ ...video, routing: { allow: ['veo-3.1'], strategy: 'quality' } });
  expect(narrowed).toMatchObject({ strategy: 'quality', chosen: expect.stringMatching(/veo3\.1/) as unknown });
});

test('answers also what no model can do, with the reason of each', async () => {
  const { candidates, chosen } = await estimate({ ...video, model: 'auto', routing: { maxCostUsd: '0.0001' } });
  expect(chosen).toBeNull();
  expect(candidates.length).toBeGreaterThan(2);
  for (const { excluded } of candidates) expect(excluded).not.toBeNull();
  expect(candidates.find(({ model }) => model === 'fal/veo3.1')?.excluded).toMatch(/more than routing\.maxCostUsd/);
});

test('an unknown price is no price, never 0', async () => {
  const unpriced = catalogue.map((model) => (model.id === 'fal/flux/dev' ? { ...model, price: null } : model));
  const body = { medium: 'image', model: 'fal/flux/dev', input: { prompt: 'a lighthouse' } };
  const blocking = await startApi({ configured, catalogue: unpriced });
  const allowing = await startApi({
    configured,
    catalogue: unpriced,
    routing: { ...routing, experiments: [], unknownPrices: 'allow' },
  });
  try {
    expect((await blocking.call('POST /v1/estimates', body)).body).toMatchObject({
      chosen: null,
      candidates: [{ estimatedCostUsd: null, excluded: 'the price of this request is not known' }],
    });
    expect((await blocking.call('POST /v1/generations', body)).body).toMatchObject({ code: 'policy_price_unknown' });
    expect((await allowing.call('POST /v1/estimates', body)).body).toMatchObject({
      chosen: 'fal/flux/dev',
      candidates: [{ estimatedCostUsd: null, excluded: null }],
    });
    const capped = { ...body, routing: { maxCostUsd: '5' } };
    expect((await allowing.call('POST /v1/estimates', capped)).body).toMatchObject({ chosen: null });
  } finally {
    await Promise.all([blocking.close(), allowing.close()]);
  }
});

test('creates and stores nothing, and refuses what a generation would be refused for', async () => {
  const image = { base64: tinyPng, contentType: 'image/png' };
  await estimate({ medium: 'video', model: 'runway/gen4_turbo', input: { image } });
  expect(await api.database.generation.count()).toBe(0);
  expect(await api.blobs.inspect('inputs')).toBeNull();
  const wrong = await api.call('POST /v1/estimates', { medium: 'video', model: 'fal/veo9', input: {} });
  expect(wrong).toMatchObject({ status: 422, body: { errors: [{ pointer: '/model' }] } });
  expect((await api.call('POST /v1/estimates', { medium: 'smell' })).body.errors[0]?.pointer).toBe('/medium');
});

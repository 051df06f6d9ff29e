import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lifecycleStatus } from '../../src/domain/routing';
import type { Model } from '../../src/domain/model';
import { catalogue } from '../../src/providers/catalogue';
import { tinyPng } from '../support/provider-calls';
import { eventually, startTestStack, type TestStack } from '../support/stack';

jest.setTimeout(180_000);

const settings = 'polling: { scale: 0.05 }\nreconcile: { everySeconds: 2, silentSeconds: 20 }\n';

let system: TestStack;
beforeAll(async () => {
  system = await startTestStack({ settings });
  await system.settings({ latencyScale: 0.01 });
});
afterAll(() => system.stop());

/** The least a model starts from. */
const inputFor = ({ capabilities }: Model): object => {
  const image = { base64: tinyPng, contentType: 'image/png' };
  const references = capabilities.referenceImages?.minimum ?? 0;
  return {
    prompt: 'rain on a tin roof',
    ...(capabilities.from.includes('text') ? {} : { image }),
    ...(capabilities.speechTask === 'sound_effect' && { task: 'sound_effect' }),
    ...(references > 0 && { referenceImages: Array.from({ length: references }, () => image) }),
  };
};

const sold = catalogue.filter((model) => model.provider !== 'mock' && lifecycleStatus(model, new Date()) !== 'retired');

/**
 * Charged by something that nobody knows beforehand and the answer does not tell: the size of the image that comes in,
 * and the tokens of speech. Ours is the upper bound.
 */
const notTold = ['fal/flux/dev/image-to-image', 'openai/gpt-4o-mini-tts'];

test('every model that is for sale goes from request to stored bytes with one paid submit, at the price the provider books', async () => {
  const ended = await Promise.all(
    sold.map(async (model) => {
      const { id } = await system.submit({ medium: model.medium, model: model.id, input: inputFor(model) });
      return { model, resource: await system.untilEnded(id) };
    }),
  );
  const ledger = await system.ledger();
  const booked = ended.map(({ model, resource }) => {
    expect([model.id, resource.status, resource.error]).toEqual([model.id, 'succeeded', null]);
    expect(resource.artifacts[0]?.bytes).toBeGreaterThan(100);
    const rows = ledger.filter((row) => row.provider === model.provider && row.model === model.providerModel);
    expect([model.id, rows.length]).toEqual([model.id, 1]);
    return { id: model.id, ours: Number(resource.cost.actualUsd), theirs: Number(rows[0]?.costUsd) };
  });
  const differing = booked.filter(({ ours, theirs }) => Math.abs(ours - theirs) > 1e-7);
  expect(differing.map(({ id }) => id)).toEqual(notTold);
  for (const { ours, theirs } of differing) expect(ours).toBeGreaterThan(theirs);
  expect(ledger).toHaveLength(sold.length);
});

describe('the test of a key', () => {
  const ask = async (provider: string): Promise<unknown> =>
    (await system.call(`/v1/providers/${provider}/test`, { method: 'POST' })).json();

  test.each([...new Set(catalogue.map(({ provider }) => provider))])(
    'asks %s once, free of charge',
    async (provider) => {
      const paid = (await system.ledger()).length;
      const latencyMs = expect.any(Number) as unknown;
      expect(await ask(provider)).toMatchObject({ provider, credential: 'key-1', ok: true, error: null, latencyMs });
      expect(await system.ledger()).toHaveLength(paid);
    },
  );

  test('says why a key does not work, and nothing of what the provider said', async () => {
    await system.fault({ provider: 'openai', operation: 'other', kind: 'status', status: 401 });
    expect(await ask('openai')).toMatchObject({
      ok: false,
      error: { code: 'provider_auth', message: 'the provider refused the key', retryable: false },
    });
  });
});

describe('a change of the configuration', () => {
  type Listed = { id: string; available: boolean; price: { rates: { usd: string }[] } };

  const write = (text: string): Promise<void> => writeFile(path.join(system.home, 'settings.yaml'), settings + text);
  const list = async (): Promise<Listed[]> =>
    ((await (await system.call('/v1/models')).json()) as { data: Listed[] }).data;
  const untilListed = (wanted: (models: Listed[]) => boolean): Promise<Listed[]> =>
    eventually(async () => {
      const models = await list();
      return wanted(models) && models;
    });

  test('adds a model that works, switches another off and changes a price, without a restart', async () => {
    await write(`
models:
  - id: fal/house-style
    providerModel: fal-ai/flux/dev
    medium: image
    capabilities: { from: [text], promptCharacters: 500, sizes: [512x512] }
    price: { per: image, rates: [{ usd: "0.07" }] }
providers:
  fal: { models: { flux/schnell: { enabled: false }, fast-sdxl: { price: { per: image, rates: [{ usd: "0.5" }] } } } }
`);
    const models = await untilListed((listed) => listed.some(({ id }) => id === 'fal/house-style'));
    expect(models.find(({ id }) => id === 'fal/flux/schnell')?.available).toBe(false);
    expect(models.find(({ id }) => id === 'fal/fast-sdxl')?.price.rates).toEqual([{ usd: '0.5' }]);
    // the worker reads the file by itself, at its own time
    const made = await eventually(async () => {
      const { id } = await system.submit({ medium: 'image', model: 'fal/house-style', input: { prompt: 'rain' } });
      const ended = await system.untilEnded(id);
      return ended.status === 'succeeded' && ended;
    });
    expect(made.cost.actualUsd).toBe('0.07');
    const refused = await system.call('/v1/generations', {
      method: 'POST',
      body: { medium: 'image', model: 'fal/flux/schnell', input: { prompt: 'rain' } },
    });
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, 'policy_no_capacity']);
  });

  test('that cannot be used keeps the last good one, and a later good one counts', async () => {
    await write('providers: { fal: { models: { flux/schnell: { enabled: maybe } } } }');
    await write('providers: { fal: { enabled: perhaps } }');
    expect((await list()).some(({ id }) => id === 'fal/house-style')).toBe(true);
    await write('');
    const models = await untilListed((listed) => !listed.some(({ id }) => id === 'fal/house-style'));
    expect(models.find(({ id }) => id === 'fal/flux/schnell')?.available).toBe(true);
  });
});

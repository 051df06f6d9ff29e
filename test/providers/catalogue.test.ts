import { execFileSync } from 'node:child_process';
import { adaptInput } from '../../src/domain/adapted-input';
import { isMoney } from '../../src/domain/money';
import { estimateCost } from '../../src/domain/pricing';
import { lifecycleStatus } from '../../src/domain/routing';
import { catalogue } from '../../src/providers/catalogue';
import { createProviders } from '../../src/providers';
import { createTransport } from '../../src/providers/transport';
import { makeInput } from '../support/provider-calls';

const byId = catalogue.map((model) => [model.id, model] as const);

test('has every provider and no id twice', async () => {
  const transport = createTransport();
  const models = createProviders(transport).flatMap((provider) => provider.models);
  expect(models).toEqual(catalogue);
  expect(new Set(catalogue.map((model) => model.id)).size).toBe(catalogue.length);
  await transport.close();
});

test.each(byId)('%s is named after its provider and has a dated price', (id, model) => {
  expect(id.startsWith(`${model.provider}/`)).toBe(true);
  expect(model.price?.readOn).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  expect(model.price?.source).not.toBe('');
});

test.each(byId)('%s has a price for everything it offers', (_id, model) => {
  const { qualities = [null], resolutions = [null], audio } = model.capabilities;
  for (const quality of qualities)
    for (const resolution of resolutions)
      for (const sound of audio === 'optional' ? [true, false] : [null]) {
        const asked = makeInput({ quality, resolution, audio: sound, size: '2048x2048' });
        expect(isMoney(estimateCost(model, adaptInput(model, asked)) ?? 'none')).toBe(true);
      }
});

test.each(byId.filter(([, model]) => model.lifecycle.successor !== undefined))(
  '%s is succeeded by a model of its medium that is for sale',
  (_id, model) => {
    const successor = catalogue.find(({ id }) => id === model.lifecycle.successor);
    expect(successor?.medium).toBe(model.medium);
    // a chain of successors that were retired themselves would lead nowhere
    expect(successor && lifecycleStatus(successor, new Date('2026-11-21T00:00:00Z'))).not.toBe('retired');
  },
);

test('loads no SDK and no HTTP client with the catalogue', () => {
  const script = `require('tsx/cjs'); require('./src/providers/catalogue.ts');
    console.log(Object.keys(require.cache).filter((file) => /node_modules.(undici|openai|groq-sdk|cloudflare|@google|@anthropic-ai|@fal-ai|@runwayml|@elevenlabs|zod)/.test(file)).length)`;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim()).toBe('0');
});

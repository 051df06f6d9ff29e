import { execFileSync } from 'node:child_process';
import { isMoney } from '../../src/domain/money';
import { estimateCost } from '../../src/domain/pricing';
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
  expect(model.price.readOn).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  expect(model.price.source).not.toBe('');
});

test.each(byId)('%s has a price for everything it offers', (_id, model) => {
  const { qualities = [null], resolutions = [null], audio } = model.capabilities;
  for (const quality of qualities)
    for (const resolution of resolutions)
      for (const sound of audio === 'optional' ? [true, false] : [null]) {
        const input = makeInput({ quality, resolution, audio: sound, durationSeconds: 4, size: '2048x2048' });
        expect(isMoney(estimateCost(model, input) ?? 'none')).toBe(true);
      }
});

test('loads no SDK and no HTTP client with the catalogue', () => {
  const script = `require('tsx/cjs'); require('./src/providers/catalogue.ts');
    console.log(Object.keys(require.cache).filter((file) => /node_modules.(undici|openai|@fal-ai|@runwayml|@elevenlabs|zod)/.test(file)).length)`;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim()).toBe('0');
});

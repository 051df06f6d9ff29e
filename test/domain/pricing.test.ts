import fc from 'fast-check';
import { noUsage, type GenerationInput, type Usage } from '../../src/domain/generation';
import type { Model, TokenRates } from '../../src/domain/model';
import { compareMoney } from '../../src/domain/money';
import { actualCost, estimateCost } from '../../src/domain/pricing';
import { adaptInput } from '../../src/domain/adapted-input';
import { catalogue } from '../../src/providers/catalogue';
import { makeMedia, makeModel } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';

const dated = { source: 'made up', readOn: '2026-11-21' };
const priced = (price: Model['price']): Model => makeModel({ price });
const ratePer = (per: 'second' | 'image' | 'megapixel' | 'thousandCharacters', usd: string): Model =>
  priced({ ...dated, per, rates: [{ usd }] });
const byToken = priced({ ...dated, per: 'millionTokens', input: '2.5', output: '10' });

test.each<[string, Model, Partial<GenerationInput>, string]>([
  ['seconds', ratePer('second', '0.12'), { durationSeconds: 5 }, '0.6'],
  ['seconds of each of several', ratePer('second', '0.12'), { durationSeconds: 5, count: 2 }, '1.2'],
  ['images', ratePer('image', '0.0025'), { count: 4 }, '0.01'],
  ['megapixels, begun ones in full', ratePer('megapixel', '0.025'), { size: '1024x1024', count: 2 }, '0.1'],
  ['a megapixel at least', ratePer('megapixel', '0.025'), { size: '512x512' }, '0.025'],
  ['thousands of characters, in part', ratePer('thousandCharacters', '0.08'), { prompt: 'x'.repeat(10) }, '0.0008'],
  ['tokens in and out', byToken, { prompt: 'x'.repeat(300), maxTokens: 1_000 }, '0.0102525'],
  ['tokens of 4096 where no limit is given', byToken, { prompt: null }, '0.0409625'],
])('charges by %s', (_form, model, input, usd) => {
  const cost = estimateCost(model, makeInput(input)) ?? 'unknown';
  expect(compareMoney(cost, usd)).toBe(0);
});

test('counts system text and messages among the input tokens', () => {
  const bare = estimateCost(byToken, makeInput()) ?? '';
  const long = 'x'.repeat(3_000);
  expect(compareMoney(estimateCost(byToken, makeInput({ system: long })) ?? '', bare)).toBe(1);
  const messages = [{ role: 'user', content: long } as const];
  expect(compareMoney(estimateCost(byToken, makeInput({ messages })) ?? '', bare)).toBe(1);
});

const conditional = priced({
  ...dated,
  per: 'second',
  rates: [
    { when: { resolution: '4k', audio: false }, usd: '3' },
    { when: { resolution: '4k' }, usd: '4' },
    { when: { resolution: '720p', quality: 'high', size: '8x8' }, usd: '1' },
  ],
});

test.each<[Partial<GenerationInput>, string | null]>([
  [{ resolution: '4k', audio: false }, '3'],
  [{ resolution: '4k', audio: true }, '4'],
  [{ resolution: '4k' }, '4'],
  [{ resolution: '720p', quality: 'high', size: '8x8' }, '1'],
  [{ resolution: '720p', quality: 'high' }, null],
  [{ resolution: '8k' }, null],
  [{}, null],
])('takes the first rate that fits %j', (input, usd) => {
  expect(estimateCost(conditional, makeInput({ ...input, durationSeconds: 1 }))).toBe(usd);
  expect(actualCost(conditional, makeInput({ ...input, durationSeconds: 1 }), noUsage)).toBe(usd);
});

test('a price that nobody told is unknown, before and after, whatever was used', () => {
  const used = { inputTokens: 1, outputTokens: 1, characters: 1, seconds: 1, images: 1 };
  expect(estimateCost(priced(null), makeInput({ durationSeconds: 4 }))).toBeNull();
  expect(actualCost(priced(null), makeInput({ durationSeconds: 4 }), used)).toBeNull();
});

const image = makeMedia('image/png');

test.each<[string, Partial<GenerationInput>, string]>([
  ['nothing', {}, '1'],
  ['a first frame', { image }, '1'],
  ['a last frame', { image, lastFrame: image }, '2'],
  ['a reference image', { referenceImages: [image] }, '2'],
  ['an input video', { video: makeMedia('video/mp4') }, '2'],
])('a rate for references is taken with %s', (_what, input, usd) => {
  const model = priced({ ...dated, per: 'image', rates: [{ when: { references: true }, usd: '2' }, { usd: '1' }] });
  expect(estimateCost(model, makeInput(input))).toBe(usd);
  const turned = priced({ ...dated, per: 'image', rates: [{ when: { references: false }, usd: '1' }, { usd: '2' }] });
  expect(estimateCost(turned, makeInput(input))).toBe(usd);
});

test('who charges in credits charges whole ones', () => {
  const runway = catalogue.find(({ id }) => id === 'runway/eleven_multilingual_v2') as Model;
  const priceOf = (characters: number) => estimateCost(runway, makeInput({ prompt: 'x'.repeat(characters) }));
  expect([1, 50, 51, 100, 101].map(priceOf)).toEqual(['0.01', '0.01', '0.02', '0.02', '0.03']);
});

test('does not know what a second costs that nobody has counted', () => {
  expect(estimateCost(ratePer('second', '0.12'), makeInput({ durationSeconds: null }))).toBeNull();
});

test.each<[string, Model, Partial<typeof noUsage>, string]>([
  ['seconds', ratePer('second', '0.1'), { seconds: 3.5 }, '0.35'],
  ['images', ratePer('image', '0.1'), { images: 2 }, '0.2'],
  ['megapixels', ratePer('megapixel', '0.1'), { images: 3 }, '0.6'],
  ['characters', ratePer('thousandCharacters', '0.08'), { characters: 1 }, '0.00008'],
  ['tokens', byToken, { inputTokens: 1, outputTokens: 3 }, '0.0000325'],
])('costs the %s that the provider counted', (_unit, model, counted, usd) => {
  const input = makeInput({ durationSeconds: 8, count: 1, size: '1024x1024' });
  expect(actualCost(model, input, { ...noUsage, ...counted })).toBe(usd);
});

test('costs the estimate where the provider counted nothing, or only half of it', () => {
  for (const model of [ratePer('second', '0.1'), ratePer('image', '0.1'), byToken]) {
    const input = makeInput({ durationSeconds: 8, count: 2 });
    expect(actualCost(model, input, noUsage)).toBe(estimateCost(model, input));
  }
  const half = { ...noUsage, inputTokens: 5 };
  expect(actualCost(byToken, makeInput(), half)).toBe(estimateCost(byToken, makeInput()));
});

describe('what is priced by the piece and charged by the token', () => {
  const piece = (rates: TokenRates = { input: '5', output: '40', imageInput: '8' }): Model =>
    priced({ ...dated, per: 'image', rates: [{ usd: '0.05' }], metered: rates });
  const used: Usage = { ...noUsage, images: 1, inputTokens: 1_000, outputTokens: 2_000 };

  test('is estimated by the piece and what is read', () => {
    expect(estimateCost(piece(), makeInput({ count: 2 }))).toBe('0.100045');
  });

  test.each<[string, Model, Partial<Usage>, string]>([
    ['its tokens', piece(), {}, '0.085'],
    ['tokens of images at their own rate', piece(), { imageTokens: 400 }, '0.0862'],
    [
      'tokens of images as text where they have no rate',
      piece({ input: '5', output: '40' }),
      { imageTokens: 400 },
      '0.085',
    ],
    ['the piece where tokens were not counted', piece(), { inputTokens: null }, '0.050045'],
    ['the pieces counted where tokens were not', piece(), { outputTokens: null, images: 3 }, '0.150045'],
  ])('costs %s', (_what, model, changes, usd) => {
    expect(actualCost(model, makeInput(), { ...used, ...changes })).toBe(usd);
  });
});

/** Tokens of what is priced by the piece are no part of the request: it bounds only what it names. */
const isBounded = ({ price }: Model): boolean => price !== null && !(price.per !== 'millionTokens' && price.metered);

const usageWithin = (input: GenerationInput, share: number) => ({
  inputTokens: Math.floor(((input.prompt ?? '').length / 4) * share),
  outputTokens: Math.floor((input.maxTokens ?? 4096) * share),
  characters: Math.floor((input.prompt ?? '').length * share),
  seconds: input.durationSeconds === null ? null : input.durationSeconds * share,
  images: Math.max(1, Math.floor(input.count * share)),
});

test.each(catalogue.filter(isBounded).map((model) => [model.id, model] as const))(
  'estimates for %s no less than what is used up to the request costs',
  (_id, model) => {
    const prompts = fc.string({ minLength: 1, maxLength: 2_000 });
    const count = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(prompts, count, fc.double({ min: 0, max: 1, noNaN: true }), (prompt, wanted, share) => {
        // what is charged by the second comes one at a time
        const input = adaptInput(model, makeInput({ prompt, count: model.price?.per === 'second' ? 1 : wanted }));
        const estimate = estimateCost(model, input) ?? 'unknown';
        const actual = actualCost(model, input, usageWithin(input, share)) ?? 'unknown';
        expect(compareMoney(estimate, actual)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 50 },
    );
  },
);

import fc from 'fast-check';
import { adaptInput, describeAdaptation } from '../../src/domain/adapted-input';
import { findViolations } from '../../src/domain/capabilities';
import type { GenerationInput } from '../../src/domain/generation';
import type { Capabilities, Model } from '../../src/domain/model';
import { isMoney } from '../../src/domain/money';
import { estimateCost } from '../../src/domain/pricing';
import { styles } from '../../src/domain/styles';
import { catalogue } from '../../src/providers/catalogue';
import { makeModel, unfetched as image } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';
import { anyValidInput } from './valid-inputs';

const base: Capabilities = { from: ['text', 'image'], promptCharacters: 400 };
const able = (capabilities: Partial<Capabilities>, overrides: Partial<Model> = {}): Model =>
  makeModel({ ...overrides, capabilities: { ...base, ...capabilities } });

const adapted = (capabilities: Partial<Capabilities>, input: Partial<GenerationInput> = {}): GenerationInput =>
  adaptInput(able(capabilities), makeInput(input));

type Row = [what: string, Partial<Capabilities>, Partial<GenerationInput>, Partial<GenerationInput>];

test.each<Row>([
  ['the first of a list', { durationsSeconds: [8, 4] }, {}, { durationSeconds: 8 }],
  ['the default of a range', { durationsSeconds: { minimum: 1, maximum: 9, default: 5 } }, {}, { durationSeconds: 5 }],
  ['the first size', { sizes: ['8x8', '4x4'] }, {}, { size: '8x8' }],
  [
    'the default of any size',
    { sizes: { anyMultipleOf: 8, maximum: '64x64', default: '16x16' } },
    {},
    { size: '16x16' },
  ],
  ['sound where it is optional', { audio: 'optional' }, {}, { audio: true }],
  ['sound where there always is', { audio: 'always' }, {}, { audio: true }],
  ['silence where there never is', { audio: 'never' }, {}, { audio: false }],
  ['the usual length of a text', { maxTokens: { minimum: 1, maximum: 9_000 } }, {}, { maxTokens: 4_096 }],
  [
    'the own length of a model',
    { maxTokens: { minimum: 1, maximum: 9_000, default: 8_000 } },
    {},
    { maxTokens: 8_000 },
  ],
  [
    'no longer text than there can be',
    { maxTokens: { minimum: 1, maximum: 90, default: 8_000 } },
    {},
    { maxTokens: 90 },
  ],
  [
    'nothing where there is no parameter',
    {},
    {},
    { maxTokens: null, durationSeconds: null, size: null, audio: null, format: null },
  ],
  [
    'what the caller chose',
    { audio: 'optional', qualities: ['low', 'high'] },
    { audio: false, quality: 'high' },
    { audio: false, quality: 'high' },
  ],
])('fills in %s', (_what, capabilities, input, expected) => {
  expect(adapted(capabilities, input)).toMatchObject(expected);
});

describe('a duration that depends on something else', () => {
  const durations: Partial<Capabilities> = {
    durationsSeconds: [4, 6, 8],
    resolutions: ['720p', '1080p', '4k'],
    durationsWhen: [
      { when: { resolution: '1080p' }, durationsSeconds: [8] },
      { when: { resolution: '4k', references: true }, durationsSeconds: [6] },
    ],
  };
  const refusals = (capabilities: Partial<Capabilities>, input: Partial<GenerationInput>) =>
    findViolations(able(capabilities), makeInput(input));

  test.each<[Partial<GenerationInput>, number]>([
    [{}, 4],
    [{ resolution: '1080p' }, 8],
    [{ resolution: '4k' }, 4],
    [{ resolution: '4k', image, lastFrame: image }, 6],
  ])('defaults under %j to %d', (input, seconds) => {
    expect(adapted(durations, input).durationSeconds).toBe(seconds);
  });

  test('is refused where the rest of the request rules it out, with what is left', () => {
    expect(refusals(durations, { resolution: '720p', durationSeconds: 4 })).toEqual([]);
    expect(refusals(durations, { resolution: '1080p', durationSeconds: 8 })).toEqual([]);
    expect(refusals(durations, { resolution: '1080p', durationSeconds: 4 })).toEqual([
      { pointer: '/input/durationSeconds', detail: 'must be one of 8 (model acme/clip)' },
    ]);
  });

  test('is judged by the default of what the request leaves open', () => {
    const sharpest: Partial<Capabilities> = { ...durations, resolutions: ['1080p', '720p'] };
    expect(adapted(sharpest)).toMatchObject({ resolution: '1080p', durationSeconds: 8 });
    expect(refusals(sharpest, { durationSeconds: 4 })).toHaveLength(1);
    expect(refusals(sharpest, { durationSeconds: 4, resolution: '720p' })).toEqual([]);
  });
});

test('the default shape without an image is one that is made without an image', () => {
  const shapes: Partial<Capabilities> = { aspectRatios: ['1:1', '16:9'], aspectRatiosFromText: ['16:9'] };
  expect(adapted(shapes).aspectRatio).toBe('16:9');
  expect(adapted(shapes, { image }).aspectRatio).toBe('1:1');
});

describe('a look', () => {
  const anime = styles.find(({ id }) => id === 'anime')?.promptFragment ?? 'missing';
  const seen: [string, Partial<GenerationInput>, string][] = [
    ['a style', { prompt: 'a fox', style: 'anime' }, `a fox. Style: ${anime}.`],
    ['a style after an ended sentence', { prompt: 'A fox! ', style: 'anime' }, `A fox! Style: ${anime}.`],
    ['colours', { prompt: 'a fox', colors: ['#ff0000', '#00ff00'] }, 'a fox. Main colours: #ff0000, #00ff00.'],
    ['a style with an image and no prompt', { prompt: null, image, style: 'anime' }, `Style: ${anime}.`],
    [
      'both',
      { prompt: 'a fox', style: 'anime', colors: ['#ff0000'] },
      `a fox. Style: ${anime}. Main colours: #ff0000.`,
    ],
  ];

  test.each(seen)('writes %s into the prompt', (_what, input, prompt) => {
    expect(adapted({}, input)).toMatchObject({ prompt, style: null, colors: [] });
  });

  test('leaves a prompt alone that has none', () => {
    expect(adapted({}, { prompt: '  a fox ' }).prompt).toBe('  a fox ');
    expect(describeAdaptation(able({}), makeInput())).toEqual([]);
  });

  test('is told in one warning for each of the two, with the model', () => {
    const input = makeInput({ style: 'anime', colors: ['#ff0000'] });
    expect(describeAdaptation(able({}), input)).toEqual([
      'acme/clip has no parameter for style: it was written into the prompt',
      'acme/clip has no parameter for colors: it was written into the prompt',
    ]);
  });

  test('that the model has a parameter for goes there without a word', () => {
    const own = { styles: ['anime', 'vector/flat'] };
    for (const style of own.styles) {
      expect(adapted(own, { prompt: 'a fox', style })).toMatchObject({ prompt: 'a fox', style });
      expect(describeAdaptation(able(own), makeInput({ style }))).toEqual([]);
      expect(findViolations(able(own), makeInput({ style }))).toEqual([]);
    }
    const both = makeInput({ prompt: 'a fox', style: 'anime', colors: ['#ff0000'] });
    expect(adaptInput(able(own), both)).toMatchObject({ prompt: 'a fox. Main colours: #ff0000.', style: 'anime' });
    expect(describeAdaptation(able(own), both)).toHaveLength(1);
  });

  test('counts for the length of the prompt', () => {
    const model = able({ promptCharacters: 50 });
    expect(findViolations(model, makeInput({ prompt: 'x'.repeat(50) }))).toEqual([]);
    const [violation] = findViolations(model, makeInput({ prompt: 'a fox', style: 'anime' }));
    const length = `a fox. Style: ${anime}.`.length;
    expect(violation).toEqual({
      pointer: '/input/prompt',
      detail: `must have at most 50 characters, has ${length} (model acme/clip)`,
    });
  });

  test('is no prompt', () => {
    for (const prompt of [null, ' ']) {
      const violations = findViolations(able({}), makeInput({ prompt, style: 'anime', colors: ['#ff0000'] }));
      expect(violations).toEqual([{ pointer: '/input/prompt', detail: 'is required (model acme/clip)' }]);
    }
  });

  test.each(['image', 'video'] as const)('that nobody knows is refused for an %s with the ids there are', (medium) => {
    const [violation, ...others] = findViolations(
      able({ styles: ['vector/flat'] }, { medium }),
      makeInput({ style: 'baroque' }),
    );
    expect(others).toEqual([]);
    expect(violation?.pointer).toBe('/input/style');
    for (const id of [...styles.map((style) => style.id), 'vector/flat']) expect(violation?.detail).toContain(id);
  });

  test.each(['speech', 'text'] as const)('is refused where there is nothing to see: %s', (medium) => {
    const input = makeInput({ style: 'anime', colors: ['#ff0000'] });
    expect(findViolations(able({}, { medium }), input)).toEqual([
      { pointer: '/input/style', detail: 'is not a parameter of this model (model acme/clip)' },
      { pointer: '/input/colors', detail: 'is not a parameter of this model (model acme/clip)' },
    ]);
  });
});

test('every style has an id of its own, words to add and an example', () => {
  expect(new Set(styles.map(({ id }) => id)).size).toBe(styles.length);
  for (const { id, name, promptFragment, example } of styles) {
    expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    for (const words of [name, promptFragment, example]) expect(words.trim()).not.toBe('');
    // it is ended by the sentence it becomes
    expect(promptFragment).not.toMatch(/[.!?]$/);
  }
});

// three properties of every model there is
const few = { numRuns: 40 };

describe.each(catalogue.map((model) => [model.id, model] as const))('%s', (_id, model) => {
  test('can do whatever its row says, as it is asked and as it is sent', () => {
    fc.assert(
      fc.property(anyValidInput(model), (input) => {
        expect(findViolations(model, input)).toEqual([]);
        const sent = adaptInput(model, input);
        expect(findViolations(model, sent)).toEqual([]);
        expect(adaptInput(model, sent)).toEqual(sent);
      }),
      few,
    );
  });

  test('keeps what the caller chose', () => {
    fc.assert(
      fc.property(anyValidInput(model), (input) => {
        const { prompt, style, colors, ...chosen } = input;
        const named = Object.entries(chosen).filter(([, value]) => value !== null);
        const sent = adaptInput(model, input);
        expect(sent).toMatchObject(Object.fromEntries(named));
        expect(sent.prompt ?? '').toContain(prompt?.trim() ?? '');
        if (style === null && colors.length === 0) expect(sent.prompt).toBe(prompt);
      }),
      few,
    );
  });

  test('costs an amount that is told beforehand, where its price is known', () => {
    fc.assert(
      fc.property(anyValidInput(model), (input) => {
        const cost = estimateCost(model, adaptInput(model, input));
        if (model.price === null) expect(cost).toBeNull();
        else expect(cost !== null && isMoney(cost) && !cost.startsWith('-')).toBe(true);
      }),
      few,
    );
  });
});

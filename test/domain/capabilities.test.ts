import { findViolations } from '../../src/domain/capabilities';
import type { GenerationInput } from '../../src/domain/generation';
import type { Capabilities, Model } from '../../src/domain/model';
import { makeModel, unfetched as image } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';

const base: Capabilities = { from: ['text', 'image'], promptCharacters: 30 };
const able = (capabilities: Partial<Capabilities>): Model => makeModel({ capabilities: { ...base, ...capabilities } });

const complaints = (capabilities: Partial<Capabilities>, input: Partial<GenerationInput>) =>
  findViolations(able(capabilities), makeInput({ prompt: 'a bicycle', ...input }));

const limits = { minimum: 2, maximum: 5, step: 1 };
const fraction = { minimum: 0, maximum: 2 };
const message = { role: 'user', content: 'hello' } as const;
const anySize = { anyMultipleOf: 16, maximum: '3840x2160', default: '1024x1024' };

type Row = [keyof GenerationInput, Partial<Capabilities>, Partial<GenerationInput>, string];

test.each<Row>([
  ['durationSeconds', { durationsSeconds: [4, 8] }, { durationSeconds: 5 }, 'must be one of 4, 8'],
  ['aspectRatio', { aspectRatios: ['16:9', '1:1'] }, { aspectRatio: '2:1' }, 'must be one of 16:9, 1:1'],
  ['resolution', { resolutions: ['720p'] }, { resolution: '4k' }, 'must be one of 720p'],
  ['size', { sizes: ['8x8', '8x16'] }, { size: '9x9' }, 'must be one of 8x8, 8x16'],
  ['quality', { qualities: ['low', 'high'] }, { quality: 'best' }, 'must be one of low, high'],
  ['format', { formats: ['png', 'jpeg'] }, { format: 'gif' }, 'must be one of png, jpeg'],
  ['voice', { voices: ['ann', 'bob'] }, { voice: 'eve' }, 'must be one of ann, bob'],
  ['count', { count: limits }, { count: 6 }, 'must be a whole number from 2 to 5'],
  ['count', {}, { count: 2 }, 'must be a whole number from 1 to 1'],
  ['seed', { seed: limits }, { seed: 1 }, 'must be a whole number from 2 to 5'],
  ['seed', { seed: limits }, { seed: 2.5 }, 'must be a whole number from 2 to 5'],
  ['maxTokens', { maxTokens: limits }, { maxTokens: 6 }, 'must be a whole number from 2 to 5'],
  ['temperature', { temperature: fraction }, { temperature: 2.1 }, 'must be a number from 0 to 2'],
  ['audio', { audio: 'always' }, { audio: false }, 'must be true'],
  ['audio', { audio: 'never' }, { audio: true }, 'must be false'],
  ['prompt', {}, { prompt: 'x'.repeat(31) }, 'must have at most 30 characters, has 31'],
  ['size', { sizes: anySize }, { size: '1000x1024' }, 'must be WIDTHxHEIGHT in multiples of 16, at most 3840x2160'],
])('a wrong %s is told with the accepted values', (field, capabilities, input, complaint) => {
  const violations = complaints(capabilities, input);
  expect(violations).toHaveLength(1);
  expect(violations[0]?.pointer).toBe(`/input/${field}`);
  expect(violations[0]?.detail).toContain(complaint);
  expect(violations[0]?.detail).toContain('(model acme/clip)');
});

test.each<[keyof GenerationInput, Partial<GenerationInput>]>([
  ['durationSeconds', { durationSeconds: 4 }],
  ['aspectRatio', { aspectRatio: '16:9' }],
  ['resolution', { resolution: '720p' }],
  ['size', { size: '8x8' }],
  ['quality', { quality: 'low' }],
  ['audio', { audio: false }],
  ['seed', { seed: 0 }],
  ['negativePrompt', { negativePrompt: 'fog' }],
  ['voice', { voice: 'ann' }],
  ['format', { format: 'png' }],
  ['maxTokens', { maxTokens: 1 }],
  ['temperature', { temperature: 0 }],
  ['schema', { schema: {} }],
  ['messages', { messages: [message] }],
  ['system', { system: 'be brief' }],
])('a %s is refused by a model that has no such parameter', (field, input) => {
  const violations = complaints({}, input);
  expect(violations).toEqual([
    { pointer: `/input/${field}`, detail: 'is not a parameter of this model (model acme/clip)' },
  ]);
});

test.each<[string, Partial<Capabilities>, Partial<GenerationInput>]>([
  ['the ends of a range', { seed: limits, maxTokens: limits }, { seed: 2, maxTokens: 5 }],
  ['a fraction where steps are free', { temperature: fraction }, { temperature: 0.7 }],
  ['any voice', { voices: 'any' }, { voice: 'whoever' }],
  ['both wishes for optional audio', { audio: 'optional' }, { audio: false }],
  ['what always happens', { audio: 'always' }, { audio: true }],
  ['what never happens', { audio: 'never' }, { audio: false }],
  ['a prompt as long as allowed', {}, { prompt: 'x'.repeat(30) }],
  ['an image without a prompt', {}, { prompt: null, image }],
  ['messages without a prompt', { messages: true }, { prompt: null, messages: [message], system: 'be brief' }],
  ['a schema and a negative prompt', { jsonSchema: true, negativePrompt: true }, { schema: {}, negativePrompt: 'fog' }],
  ['the largest of any size', { sizes: anySize }, { size: '3840x2160' }],
  ['a size on its side', { sizes: anySize }, { size: '2160x3840' }],
  ['three to one', { sizes: anySize }, { size: '3072x1024' }],
])('takes %s', (_what, capabilities, input) => {
  expect(complaints(capabilities, input)).toEqual([]);
});

test.each(['3088x1024', '3856x2160', '2176x2176', '0x0', '0x16', '-16x16', '16', 'axb', '16x16x5'])(
  'refuses the size %s where any within limits is taken',
  (size) => {
    expect(complaints({ sizes: anySize }, { size })).toHaveLength(1);
  },
);

test.each([null, '', '  \n'])('requires a prompt: %j is none', (prompt) => {
  expect(complaints({}, { prompt })).toEqual([{ pointer: '/input/prompt', detail: 'is required (model acme/clip)' }]);
});

test('requires an image where the model starts from one, and refuses it where it does not', () => {
  expect(complaints({ from: ['image'] }, {})[0]).toMatchObject({
    pointer: '/input/image',
    detail: expect.stringContaining('is required'),
  });
  expect(complaints({ from: ['text'] }, { image })[0]).toMatchObject({
    pointer: '/input/image',
    detail: expect.stringContaining('is not an input'),
  });
});

test('takes fewer shapes from text alone where the model has fewer', () => {
  const shapes = { aspectRatios: ['16:9', '1:1'], aspectRatiosFromText: ['16:9'] };
  expect(complaints(shapes, { aspectRatio: '1:1' })[0]?.detail).toContain('must be one of 16:9 ');
  expect(complaints(shapes, { aspectRatio: '1:1', image })).toEqual([]);
});

test('tells every field at once', () => {
  const violations = complaints({ qualities: ['low'] }, { quality: 'best', seed: 1, voice: 'ann', count: 3 });
  expect(violations.map(({ pointer }) => pointer)).toEqual([
    '/input/quality',
    '/input/count',
    '/input/seed',
    '/input/voice',
  ]);
});

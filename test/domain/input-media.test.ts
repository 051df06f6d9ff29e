import { findViolations, mediaOf } from '../../src/domain/capabilities';
import type { GenerationInput } from '../../src/domain/generation';
import type { Capabilities } from '../../src/domain/model';
import { makeMedia, makeModel, unfetched } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';

const base: Capabilities = { from: ['text', 'image'], promptCharacters: 100 };

const complaints = (capabilities: Partial<Capabilities>, input: Partial<GenerationInput>) =>
  findViolations(makeModel({ capabilities: { ...base, ...capabilities } }), makeInput(input));

const image = makeMedia('image/png');
const video = makeMedia('video/mp4');
const some = { minimum: 1, maximum: 2, step: 1 };
const any = { minimum: 0, maximum: 2, step: 1 };

type Row = [what: string, Partial<Capabilities>, Partial<GenerationInput>, pointer: string, detail: string];

test.each<Row>([
  ['a last frame of its own', { lastFrame: true }, { lastFrame: image }, 'lastFrame', 'needs image, the first frame'],
  ['a last frame that is no input', {}, { image, lastFrame: image }, 'lastFrame', 'is not an input of this model'],
  ['a last frame switched off', { lastFrame: false }, { image, lastFrame: image }, 'lastFrame', 'is not an input'],
  ['references that are no input', {}, { referenceImages: [image] }, 'referenceImages', 'is not an input'],
  ['no reference where one is needed', { referenceImages: some }, {}, 'referenceImages', 'must be 1 to 2 images'],
  [
    'too many references',
    { referenceImages: any },
    { referenceImages: [image, image, image] },
    'referenceImages',
    'must be 0 to 2',
  ],
  [
    'references beside a first frame where they take its place',
    { referenceImages: any, referencesExcludeImage: true },
    { image, referenceImages: [image] },
    'referenceImages',
    'cannot go with image',
  ],
  ['a video that is no input', {}, { video }, 'video', 'is not an input of this model'],
  [
    'no video where it starts from one',
    { from: ['video'] },
    {},
    'video',
    'is required: this model starts from a video',
  ],
  [
    'no image where it starts from one',
    { from: ['image'] },
    {},
    'image',
    'is required: this model starts from an image',
  ],
  ['an image where it starts from a text', { from: ['text'] }, { image }, 'image', 'is not an input of this model'],
])('refuses %s', (_what, capabilities, input, pointer, detail) => {
  const violations = complaints(capabilities, input);
  expect(violations).toHaveLength(1);
  expect(violations[0]?.pointer).toBe(`/input/${pointer}`);
  expect(violations[0]?.detail).toContain(detail);
  expect(violations[0]?.detail).toContain('(model acme/clip)');
});

test.each<[string, Partial<Capabilities>, Partial<GenerationInput>]>([
  ['a last frame beside the first', { lastFrame: true }, { image, lastFrame: image }],
  ['as few references as it needs', { referenceImages: some }, { referenceImages: [image] }],
  ['as many as it takes', { referenceImages: any }, { referenceImages: [image, image] }],
  ['references beside a first frame', { referenceImages: any }, { image, referenceImages: [image] }],
  ['either where one excludes the other', { referenceImages: any, referencesExcludeImage: true }, { image }],
  ['none where it needs none', { referenceImages: any }, {}],
  ['a video without a prompt', { from: ['text', 'video'] }, { video, prompt: null }],
  ['a video where it starts from one', { from: ['video'] }, { video, prompt: null }],
  ['a video instead of an image', { from: ['image', 'video'] }, { video }],
])('takes %s', (_what, capabilities, input) => {
  expect(complaints(capabilities, input)).toEqual([]);
});

test('a choice between image and video asks for one of them', () => {
  expect(complaints({ from: ['image', 'video'] }, {})[0]?.pointer).toBe('/input/image');
});

describe('task', () => {
  const of = (speechTask: Capabilities['speechTask'], task: GenerationInput['task']) =>
    complaints(speechTask === undefined ? {} : { speechTask }, { task }).map(({ detail }) => detail);

  test.each([
    [undefined, 'speech'],
    [undefined, null],
    ['speech', 'speech'],
    ['sound_effect', 'sound_effect'],
    ['sound_effect', null],
  ] as const)('of a model for %s may be %s', (speechTask, task) => {
    expect(of(speechTask, task)).toEqual([]);
  });

  test.each([
    [undefined, 'sound_effect', 'speech'],
    ['speech', 'sound_effect', 'speech'],
    ['sound_effect', 'speech', 'sound_effect'],
  ] as const)('of a model for %s is not %s', (speechTask, task, accepted) => {
    expect(of(speechTask, task)).toEqual([`must be null or ${accepted} (model acme/clip)`]);
  });
});

describe('voice settings', () => {
  const blank = { stability: null, similarityBoost: null, style: null, useSpeakerBoost: null, speed: null };
  const rules: Capabilities['voiceSettings'] = {
    stability: { minimum: 0, maximum: 1 },
    speed: { minimum: 0.7, maximum: 1.2 },
    useSpeakerBoost: true,
  };
  const judge = (settings: Partial<typeof blank> | object, with_: Capabilities['voiceSettings'] | null = rules) =>
    complaints(with_ ? { voiceSettings: with_ } : {}, { voiceSettings: { ...blank, ...settings } });

  test.each([{}, { stability: 0 }, { stability: 1, speed: 0.7 }, { speed: 1.2 }, { useSpeakerBoost: false }])(
    'takes %j',
    (settings) => expect(judge(settings)).toEqual([]),
  );

  test.each([
    [{ stability: 1.1 }, 'stability', 'must be a number from 0 to 1'],
    [{ speed: 0.69 }, 'speed', 'must be a number from 0.7 to 1.2'],
    [{ style: 0 }, 'style', 'is not a parameter of this model'],
    [{ similarityBoost: 0.5 }, 'similarityBoost', 'is not a parameter of this model'],
  ])('refuses %j member by member', (settings, member, detail) => {
    expect(judge(settings)).toEqual([
      { pointer: `/input/voiceSettings/${member}`, detail: `${detail} (model acme/clip)` },
    ]);
  });

  test('are refused where a model has none, but only what is set', () => {
    expect(judge({}, null)).toEqual([]);
    expect(judge({ useSpeakerBoost: false, speed: 1 }, null).map(({ pointer }) => pointer)).toEqual([
      '/input/voiceSettings/useSpeakerBoost',
      '/input/voiceSettings/speed',
    ]);
  });
});

describe('what the bytes are', () => {
  const files: Partial<Capabilities> = {
    from: ['text', 'image', 'video'],
    lastFrame: true,
    referenceImages: any,
    imageFiles: { types: ['image/png', 'image/jpeg'], maximumBytes: 2 * 1024 * 1024 },
    videoFiles: { types: ['video/mp4'], maximumBytes: 10 },
  };
  const gif = makeMedia('image/gif');
  const large = makeMedia('image/jpeg', 3 * 1024 * 1024 + 1);

  test.each<[string, Partial<GenerationInput>, string]>([
    ['image', { image: gif }, 'is image/gif; accepted are image/png, image/jpeg'],
    ['image', { image: large }, 'must have at most 2 MB, has 3 MB'],
    ['lastFrame', { image, lastFrame: gif }, 'is image/gif'],
    ['referenceImages/1', { referenceImages: [image, gif] }, 'is image/gif'],
    ['video', { video: makeMedia('video/webm') }, 'is video/webm; accepted are video/mp4'],
    ['video', { video: makeMedia('video/mp4', 11) }, 'must have at most'],
  ])('counts for %s once they are there', (pointer, input, detail) => {
    const violations = complaints(files, input);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatchObject({ pointer: `/input/${pointer}`, detail: expect.stringContaining(detail) });
  });

  test('is told of every one that is wrong', () => {
    const input = { image: gif, lastFrame: large, referenceImages: [gif, image] };
    expect(complaints(files, input).map(({ pointer }) => pointer)).toEqual([
      '/input/image',
      '/input/lastFrame',
      '/input/referenceImages/0',
    ]);
  });

  test('does not count before they are fetched, nor where a model names no limit', () => {
    const all = { image: unfetched, lastFrame: unfetched, referenceImages: [unfetched], video: unfetched };
    expect(complaints(files, all)).toEqual([]);
    expect(complaints({}, { image: gif })).toEqual([]);
  });

  test('may be as large as allowed', () => {
    expect(
      complaints(files, { image: makeMedia('image/png', 2 * 1024 * 1024), video: makeMedia('video/mp4', 10) }),
    ).toEqual([]);
  });
});

test('lists every image and video with its place', () => {
  const input = makeInput({ image, lastFrame: unfetched, referenceImages: [unfetched, image], video });
  expect(mediaOf(input)).toEqual([
    { pointer: 'image', media: image },
    { pointer: 'lastFrame', media: unfetched },
    { pointer: 'referenceImages/0', media: unfetched },
    { pointer: 'referenceImages/1', media: image },
    { pointer: 'video', media: video },
  ]);
  expect(mediaOf(makeInput())).toEqual([]);
});

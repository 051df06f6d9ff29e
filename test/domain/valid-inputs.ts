import fc from 'fast-check';
import type { GenerationInput, MediaInput } from '../../src/domain/generation';
import type { Capabilities, MediaLimits, Model, Range } from '../../src/domain/model';
import { styles } from '../../src/domain/styles';
import { makeMedia, unfetched } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';

/** Any input a row of the registry says it can do, built from nothing but the row. */

type Chosen = Partial<GenerationInput>;

const nothing = fc.constant(null);
const maybe = <Value>(values: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> => fc.option(values, { nil: null });

const oneOf = <Value>(values: readonly Value[] | undefined): fc.Arbitrary<Value | null> =>
  values ? fc.constantFrom(null, ...values) : nothing;

const within = ({ minimum, maximum, step }: Range): fc.Arbitrary<number> =>
  step === 1 ? fc.integer({ min: minimum, max: maximum }) : fc.double({ min: minimum, max: maximum, noNaN: true });

const oneWithin = (range: Range | undefined): fc.Arbitrary<number | null> => (range ? maybe(within(range)) : nothing);

/** The longest fragment of a style and sixteen colours fit beside it. */
const additions = 300;

const anyText = (longest: number): fc.Arbitrary<string> =>
  fc.string({ minLength: 1, maxLength: Math.max(1, Math.min(400, longest)) }).filter((text) => text.trim() !== '');

const anyMedia = (limits: MediaLimits | undefined, otherwise: string): fc.Arbitrary<MediaInput> => {
  const { types, maximumBytes } = limits ?? { types: [otherwise], maximumBytes: 1_000 };
  const stored = fc.tuple(fc.constantFrom(...types), fc.integer({ min: 1, max: maximumBytes }));
  return fc.oneof(
    stored.map(([type, bytes]) => makeMedia(type, bytes)),
    fc.constant(unfetched),
  );
};

const anySize = ({ sizes }: Capabilities): fc.Arbitrary<string | null> => {
  if (sizes === undefined || !('anyMultipleOf' in sizes)) return oneOf(sizes);
  const { anyMultipleOf: step } = sizes;
  const [longest = 0, shortest = 0] = sizes.maximum.split('x').map((side) => Math.floor(Number(side) / step));
  const sides = fc
    .integer({ min: 1, max: shortest })
    .chain((least) => fc.tuple(fc.constant(least), fc.integer({ min: least, max: Math.min(longest, 3 * least) })));
  const size = fc.tuple(sides, fc.boolean()).map(([[least, most], upright]) => {
    const [width, height] = upright ? [least, most] : [most, least];
    return `${width * step}x${height * step}`;
  });
  return maybe(size);
};

const anyVoiceSettings = ({ voiceSettings: rules }: Capabilities): fc.Arbitrary<GenerationInput['voiceSettings']> =>
  rules
    ? fc.record({
        stability: oneWithin(rules.stability),
        similarityBoost: oneWithin(rules.similarityBoost),
        style: oneWithin(rules.style),
        speed: oneWithin(rules.speed),
        useSpeakerBoost: rules.useSpeakerBoost ? maybe(fc.boolean()) : nothing,
      })
    : nothing;

const anyStart = ({ from, imageFiles, videoFiles, lastFrame }: Capabilities): fc.Arbitrary<Chosen> =>
  fc.constantFrom(...from).chain((start): fc.Arbitrary<Chosen> => {
    if (start === 'video') return fc.record({ video: anyMedia(videoFiles, 'video/mp4') });
    if (start === 'text') return fc.constant({});
    const frame = anyMedia(imageFiles, 'image/png');
    return fc.record({ image: frame, lastFrame: lastFrame ? maybe(frame) : nothing });
  });

/** A prompt, or what stands in its place. */
const anyWords = (capabilities: Capabilities, start: Chosen): fc.Arbitrary<Chosen> => {
  const text = anyText(capabilities.promptCharacters - additions);
  const message = fc.record({ role: fc.constantFrom('user', 'assistant'), content: text });
  const prompt = start.image || start.video ? maybe(text) : text;
  if (!capabilities.messages) return fc.record({ prompt });
  return fc.record({ prompt, messages: fc.array(message, { maxLength: 3 }), system: maybe(text) });
};

const anyLook = ({ medium, capabilities }: Model): fc.Arbitrary<Chosen> => {
  if (medium !== 'image' && medium !== 'video') return fc.constant({});
  const ids = [...styles.map(({ id }) => id), ...(capabilities.styles ?? [])];
  const color = fc.integer({ min: 0, max: 0xffffff }).map((value) => `#${value.toString(16).padStart(6, '0')}`);
  return fc.record({ style: oneOf(ids), colors: fc.array(color, { maxLength: 6 }) });
};

const anyShape = (capabilities: Capabilities, start: Chosen): fc.Arbitrary<Chosen> => {
  const { audio, aspectRatios, aspectRatiosFromText, referenceImages, count, voices } = capabilities;
  const frame = anyMedia(capabilities.imageFiles, 'image/png');
  const isExcluded = Boolean(start.image) && capabilities.referencesExcludeImage === true;
  const { minimum, maximum } = (!isExcluded && referenceImages) || { minimum: 0, maximum: 0 };
  return fc.record({
    aspectRatio: oneOf(start.image ? aspectRatios : (aspectRatiosFromText ?? aspectRatios)),
    resolution: oneOf(capabilities.resolutions),
    size: anySize(capabilities),
    quality: oneOf(capabilities.qualities),
    audio: audio === 'optional' ? maybe(fc.boolean()) : oneOf(audio && [audio === 'always']),
    count: count ? within(count) : fc.constant(1),
    referenceImages: fc.array(frame, { minLength: minimum, maxLength: maximum }),
    voice: voices === 'any' ? maybe(anyText(40)) : oneOf(voices),
    format: oneOf(capabilities.formats),
  });
};

const anySetting = ({ medium, capabilities }: Model): fc.Arbitrary<Chosen> => {
  const { seed, maxTokens, temperature, negativePrompt, jsonSchema, speechTask } = capabilities;
  return fc.record({
    task: medium === 'speech' ? oneOf([speechTask ?? 'speech']) : nothing,
    seed: oneWithin(seed),
    maxTokens: oneWithin(maxTokens),
    temperature: oneWithin(temperature),
    negativePrompt: negativePrompt ? maybe(anyText(100)) : nothing,
    schema: jsonSchema ? maybe(fc.constant({ type: 'object' })) : nothing,
    voiceSettings: anyVoiceSettings(capabilities),
  });
};

/** What the request says, or the model takes where it says nothing. */
const settled = (
  { resolutions, qualities, audio }: Capabilities,
  { resolution, quality, size, audio: sound, lastFrame, video, referenceImages }: Chosen,
): Record<string, unknown> => ({
  resolution: resolution ?? resolutions?.[0],
  quality: quality ?? qualities?.[0],
  size,
  audio: sound ?? (audio && audio !== 'never'),
  references: [lastFrame, video, ...(referenceImages ?? [])].some(Boolean),
});

const anyDuration = (capabilities: Capabilities, chosen: Chosen): fc.Arbitrary<Chosen> => {
  const condition = settled(capabilities, chosen);
  const row = capabilities.durationsWhen?.find(({ when }) =>
    Object.entries(when).every(([name, value]) => condition[name] === value),
  );
  const durations = row?.durationsSeconds ?? capabilities.durationsSeconds;
  const durationSeconds = durations !== undefined && 'default' in durations ? oneWithin(durations) : oneOf(durations);
  return fc.record({ durationSeconds });
};

export const anyValidInput = (model: Model): fc.Arbitrary<GenerationInput> => {
  const { capabilities } = model;
  return anyStart(capabilities)
    .chain((start) =>
      fc
        .tuple(anyWords(capabilities, start), anyLook(model), anyShape(capabilities, start), anySetting(model))
        .map((parts) => Object.assign({}, start, ...parts) as Chosen),
    )
    .chain((chosen) => anyDuration(capabilities, chosen).map((duration) => makeInput({ ...chosen, ...duration })));
};

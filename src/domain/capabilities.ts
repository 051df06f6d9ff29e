import { adaptInput, durationsFor } from './adapted-input';
import type { Violation } from './failure';
import type { GenerationInput, MediaInput } from './generation';
import type { Capabilities, MediaLimits, Model, Range } from './model';
import { styles } from './styles';

const inRange = (value: number, range: Range): boolean =>
  value >= range.minimum && value <= range.maximum && (range.step !== 1 || Number.isInteger(value));

const sizeFits = (size: string, rule: { anyMultipleOf: number; maximum: string }): boolean => {
  if (!/^[1-9]\d*x[1-9]\d*$/.test(size)) return false;
  const [width = 0, height = 0] = size.split('x').map(Number);
  const [longest = 0, shortest = 0] = rule.maximum.split('x').map(Number);
  const multiples = width % rule.anyMultipleOf === 0 && height % rule.anyMultipleOf === 0;
  const withinLimits = Math.max(width, height) <= longest && Math.min(width, height) <= shortest;
  return multiples && withinLimits && Math.max(width, height) <= 3 * Math.min(width, height);
};

const oneOf = (values: readonly (string | number)[]): string => `must be one of ${values.join(', ')}`;

type Check = (capabilities: Capabilities, input: GenerationInput) => string | null;

const listed =
  (
    values: (capabilities: Capabilities) => readonly (string | number)[] | undefined,
    field: keyof GenerationInput,
  ): Check =>
  (capabilities, input) => {
    const value = input[field] as string | number | null;
    const accepted = values(capabilities);
    if (value === null) return null;
    if (!accepted) return 'is not a parameter of this model';
    return accepted.includes(value) ? null : oneOf(accepted);
  };

const ranged =
  (range: (capabilities: Capabilities) => Range | undefined, field: keyof GenerationInput): Check =>
  (capabilities, input) => {
    const value = input[field] as number | null;
    const accepted = range(capabilities);
    if (value === null) return null;
    if (!accepted) return 'is not a parameter of this model';
    const kind = accepted.step === 1 ? 'a whole number' : 'a number';
    return inRange(value, accepted) ? null : `must be ${kind} from ${accepted.minimum} to ${accepted.maximum}`;
  };

const flagged =
  (has: (capabilities: Capabilities) => boolean | undefined, isSet: (input: GenerationInput) => boolean): Check =>
  (capabilities, input) =>
    isSet(input) && has(capabilities) !== true ? 'is not a parameter of this model' : null;

const checkPrompt: Check = ({ from }, { prompt, image, video, messages }) => {
  const startsElsewhere = image !== null || video !== null || messages.length > 0;
  return from.includes('text') && !startsElsewhere && (prompt ?? '').trim() === '' ? 'is required' : null;
};

/** As it will be sent, with what is written into it. */
const checkLength = (model: Model, input: GenerationInput): string | null => {
  const { length } = adaptInput(model, input).prompt ?? '';
  const { promptCharacters } = model.capabilities;
  return length > promptCharacters ? `must have at most ${promptCharacters} characters, has ${length}` : null;
};

const checkImage: Check = ({ from }, input) => {
  if (input.image !== null) return from.includes('image') ? null : 'is not an input of this model';
  const elsewhere = from.includes('text') || (from.includes('video') && input.video !== null);
  return elsewhere || !from.includes('image') ? null : 'is required: this model starts from an image';
};

const checkVideo: Check = ({ from }, input) => {
  if (input.video !== null) return from.includes('video') ? null : 'is not an input of this model';
  return from.every((start) => start === 'video') ? 'is required: this model starts from a video' : null;
};

const checkLastFrame: Check = ({ lastFrame }, input) => {
  if (input.lastFrame === null) return null;
  if (lastFrame !== true) return 'is not an input of this model';
  return input.image === null ? 'needs image, the first frame, beside it' : null;
};

const checkReferences: Check = ({ referenceImages, referencesExcludeImage }, { referenceImages: given, image }) => {
  if (given.length > 0 && image !== null && referencesExcludeImage === true) return 'cannot go with image';
  if (given.length === 0 && (referenceImages?.minimum ?? 0) === 0) return null;
  if (!referenceImages) return 'is not an input of this model';
  const { minimum, maximum } = referenceImages;
  return inRange(given.length, referenceImages) ? null : `must be ${minimum} to ${maximum} images`;
};

const checkTask: Check = ({ speechTask }, { task }) =>
  task === null || task === (speechTask ?? 'speech') ? null : `must be null or ${speechTask ?? 'speech'}`;

const checkDuration: Check = (capabilities, input) => {
  const accepted = durationsFor(capabilities, input);
  return accepted !== undefined && 'default' in accepted
    ? ranged(() => accepted, 'durationSeconds')(capabilities, input)
    : listed(() => accepted, 'durationSeconds')(capabilities, input);
};

const checkAspectRatio: Check = (capabilities, input) => {
  const fromText = input.image === null ? capabilities.aspectRatiosFromText : undefined;
  return listed(({ aspectRatios }) => fromText ?? aspectRatios, 'aspectRatio')(capabilities, input);
};

const checkSize: Check = (capabilities, input) => {
  const rule = capabilities.sizes;
  if (input.size === null) return null;
  if (!rule) return 'is not a parameter of this model';
  if (!('anyMultipleOf' in rule)) return rule.includes(input.size) ? null : oneOf(rule);
  return sizeFits(input.size, rule)
    ? null
    : `must be WIDTHxHEIGHT in multiples of ${rule.anyMultipleOf}, at most ${rule.maximum}, no side over three times the other`;
};

const checkAudio: Check = (capabilities, input) => {
  if (input.audio === null || capabilities.audio === 'optional') return null;
  if (capabilities.audio === undefined) return 'is not a parameter of this model';
  return input.audio === (capabilities.audio === 'always') ? null : `must be ${capabilities.audio === 'always'}`;
};

const checkCount: Check = (capabilities, input) => {
  const range = capabilities.count ?? { minimum: 1, maximum: 1, step: 1 };
  return inRange(input.count, range) ? null : `must be a whole number from ${range.minimum} to ${range.maximum}`;
};

const checkVoice: Check = (capabilities, input) =>
  capabilities.voices === 'any'
    ? null
    : listed(() => capabilities.voices as readonly string[] | undefined, 'voice')(capabilities, input);

const checks: readonly (readonly [keyof GenerationInput, Check])[] = [
  ['task', checkTask],
  ['prompt', checkPrompt],
  ['image', checkImage],
  ['video', checkVideo],
  ['lastFrame', checkLastFrame],
  ['referenceImages', checkReferences],
  ['durationSeconds', checkDuration],
  ['aspectRatio', checkAspectRatio],
  ['resolution', listed((model) => model.resolutions, 'resolution')],
  ['size', checkSize],
  ['quality', listed((model) => model.qualities, 'quality')],
  ['audio', checkAudio],
  ['count', checkCount],
  ['seed', ranged((model) => model.seed, 'seed')],
  [
    'negativePrompt',
    flagged(
      (model) => model.negativePrompt,
      (input) => input.negativePrompt !== null,
    ),
  ],
  ['voice', checkVoice],
  ['format', listed((model) => model.formats, 'format')],
  ['maxTokens', ranged((model) => model.maxTokens, 'maxTokens')],
  ['temperature', ranged((model) => model.temperature, 'temperature')],
  [
    'schema',
    flagged(
      (model) => model.jsonSchema,
      (input) => input.schema !== null,
    ),
  ],
  [
    'messages',
    flagged(
      (model) => model.messages,
      (input) => input.messages.length > 0,
    ),
  ],
  [
    'system',
    flagged(
      (model) => model.messages,
      (input) => input.system !== null,
    ),
  ],
];

const stylable: readonly string[] = ['image', 'video'];

const complain = (model: Model, pointer: string, detail: string | null): Violation[] =>
  detail === null ? [] : [{ pointer: `/input/${pointer}`, detail: `${detail} (model ${model.id})` }];

/** Where there is no parameter for it, there must at least be a look to describe. */
const checkLook = (model: Model, { style, colors }: GenerationInput): Violation[] => {
  const accepted = [...new Set([...styles.map(({ id }) => id), ...(model.capabilities.styles ?? [])])];
  if (stylable.includes(model.medium))
    return complain(model, 'style', style === null || accepted.includes(style) ? null : oneOf(accepted));
  return [
    ...complain(model, 'style', style === null ? null : 'is not a parameter of this model'),
    ...complain(model, 'colors', colors.length === 0 ? null : 'is not a parameter of this model'),
  ];
};

const voiceComplaint = (rule: Range | true | undefined, value: number | boolean | null): string | null => {
  if (value === null) return null;
  if (rule === undefined) return 'is not a parameter of this model';
  if (rule === true || typeof value === 'boolean') return null;
  return inRange(value, rule) ? null : `must be a number from ${rule.minimum} to ${rule.maximum}`;
};

const checkVoiceSettings = (model: Model, { voiceSettings }: GenerationInput): Violation[] =>
  Object.entries(voiceSettings ?? {}).flatMap(([name, value]) => {
    const rules = model.capabilities.voiceSettings as Record<string, Range | true | undefined> | undefined;
    return complain(model, `voiceSettings/${name}`, voiceComplaint(rules?.[name], value));
  });

const megabytes = (bytes: number): string => `${Math.floor((bytes / 1024 / 1024) * 10) / 10} MB`;

/** What is not fetched yet is judged when it is. */
const mediaComplaint = (limits: MediaLimits | undefined, { stored }: MediaInput): string | null => {
  if (stored === null || limits === undefined) return null;
  const { types, maximumBytes } = limits;
  if (!types.includes(stored.contentType)) return `is ${stored.contentType}; accepted are ${types.join(', ')}`;
  return stored.bytes > maximumBytes
    ? `must have at most ${megabytes(maximumBytes)}, has ${megabytes(stored.bytes)}`
    : null;
};

/** Every image and video of an input with its place there. */
export const mediaOf = <Media>(input: GenerationInput<Media>): { pointer: string; media: Media }[] =>
  [
    { pointer: 'image', media: input.image },
    { pointer: 'lastFrame', media: input.lastFrame },
    ...input.referenceImages.map((media, index) => ({ pointer: `referenceImages/${index}`, media })),
    { pointer: 'video', media: input.video },
  ].filter((place): place is { pointer: string; media: Media & {} } => place.media !== null);

const checkMedia = (model: Model, input: GenerationInput): Violation[] =>
  mediaOf(input).flatMap(({ pointer, media }) => {
    const { imageFiles, videoFiles } = model.capabilities;
    return complain(model, pointer, mediaComplaint(pointer === 'video' ? videoFiles : imageFiles, media));
  });

/** What this model cannot honour, field by field with the accepted values; empty when it can do all of it. */
export const findViolations = (model: Model, input: GenerationInput): Violation[] => [
  ...checks.flatMap(([field, check]) => complain(model, field, check(model.capabilities, input))),
  ...complain(model, 'prompt', checkLength(model, input)),
  ...checkLook(model, input),
  ...checkVoiceSettings(model, input),
  ...checkMedia(model, input),
];

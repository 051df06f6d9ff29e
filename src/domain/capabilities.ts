import type { Violation } from './failure';
import type { GenerationInput } from './generation';
import type { Capabilities, Model, Range } from './model';

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

const checkPrompt: Check = (capabilities, input) => {
  const text = input.prompt ?? '';
  if (text.length > capabilities.promptCharacters)
    return `must have at most ${capabilities.promptCharacters} characters, has ${text.length}`;
  const needed = capabilities.from.includes('text') && input.image === null && input.messages.length === 0;
  return needed && text.trim() === '' ? 'is required' : null;
};

const checkImage: Check = (capabilities, input) => {
  if (input.image !== null) return capabilities.from.includes('image') ? null : 'is not an input of this model';
  return capabilities.from.includes('text') ? null : 'is required: this model starts from an image';
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
  const range = capabilities.images ?? { minimum: 1, maximum: 1, step: 1 };
  return inRange(input.count, range) ? null : `must be a whole number from ${range.minimum} to ${range.maximum}`;
};

const checkVoice: Check = (capabilities, input) =>
  capabilities.voices === 'any'
    ? null
    : listed(() => capabilities.voices as readonly string[] | undefined, 'voice')(capabilities, input);

const checks: readonly (readonly [keyof GenerationInput, Check])[] = [
  ['prompt', checkPrompt],
  ['image', checkImage],
  ['durationSeconds', listed((model) => model.durationsSeconds, 'durationSeconds')],
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

/** What this model cannot honour, field by field with the accepted values; empty when it can do all of it. */
export const findViolations = (model: Model, input: GenerationInput): Violation[] =>
  checks.flatMap(([field, check]) => {
    const complaint = check(model.capabilities, input);
    return complaint === null ? [] : [{ pointer: `/input/${field}`, detail: `${complaint} (model ${model.id})` }];
  });

const firstSize = (capabilities: Capabilities): string | null => {
  if (!capabilities.sizes) return null;
  return 'anyMultipleOf' in capabilities.sizes ? capabilities.sizes.default : (capabilities.sizes[0] ?? null);
};

const first = <Value>(accepted: readonly Value[] | undefined): Value | null => accepted?.[0] ?? null;

const defaultsOf = (capabilities: Capabilities): Partial<GenerationInput> => ({
  durationSeconds: first(capabilities.durationsSeconds),
  aspectRatio: first(capabilities.aspectRatios),
  resolution: first(capabilities.resolutions),
  size: firstSize(capabilities),
  quality: first(capabilities.qualities),
  audio: capabilities.audio === undefined ? null : capabilities.audio !== 'never',
  format: first(capabilities.formats),
});

/** The input as it is sent: what the caller left open is the model's own default, so that price and wire agree. */
export const fillDefaults = (model: Model, input: GenerationInput): GenerationInput => {
  const open = Object.entries(defaultsOf(model.capabilities)).filter(
    ([field]) => (input[field as keyof GenerationInput] ?? null) === null,
  );
  return { ...input, ...Object.fromEntries(open) };
};

import type { GenerationInput } from './generation';
import type { Capabilities, Condition, Model } from './model';
import { styles } from './styles';

/** What limits and rates depend on, as far as the request says it. */
export const conditionOf = (input: GenerationInput<unknown>): Condition => ({
  ...(input.resolution !== null && { resolution: input.resolution }),
  ...(input.audio !== null && { audio: input.audio }),
  ...(input.quality !== null && { quality: input.quality }),
  ...(input.size !== null && { size: input.size }),
  references: input.lastFrame !== null || input.referenceImages.length > 0 || input.video !== null,
});

export const fits = (condition: Condition, wanted: Condition): boolean =>
  (Object.keys(condition) as (keyof Condition)[]).every((key) => condition[key] === wanted[key]);

const first = <Value>(accepted: readonly Value[] | undefined): Value | null => accepted?.[0] ?? null;

const firstSize = ({ sizes }: Capabilities): string | null => {
  if (!sizes) return null;
  return 'anyMultipleOf' in sizes ? sizes.default : first(sizes);
};

const firstDuration = (durations: Capabilities['durationsSeconds']): number | null =>
  durations !== undefined && 'default' in durations ? durations.default : first(durations);

const fillOpen = <Media>(
  input: GenerationInput<Media>,
  defaults: Partial<GenerationInput<never>>,
): GenerationInput<Media> => {
  const open = Object.entries(defaults).filter(([field]) => (input[field as keyof GenerationInput] ?? null) === null);
  return { ...input, ...Object.fromEntries(open) };
};

/** A text without a limit would be a price without one. In tokens. */
export const usualTextLength = 4096;

const openTokens = ({ maxTokens }: Capabilities): number | null =>
  maxTokens === undefined ? null : Math.min(maxTokens.default ?? usualTextLength, maxTokens.maximum);

/** What a model takes where nothing is said, but for the duration, which depends on it. */
const fillShape = <Media>(capabilities: Capabilities, input: GenerationInput<Media>): GenerationInput<Media> => {
  const fromText = input.image === null ? capabilities.aspectRatiosFromText : undefined;
  return fillOpen(input, {
    aspectRatio: first(fromText ?? capabilities.aspectRatios),
    resolution: first(capabilities.resolutions),
    size: firstSize(capabilities),
    quality: first(capabilities.qualities),
    audio: capabilities.audio === undefined ? null : capabilities.audio !== 'never',
    format: first(capabilities.formats),
    maxTokens: openTokens(capabilities),
  });
};

/** The durations a model makes under what else the request asks for or leaves to it. */
export const durationsFor = (
  capabilities: Capabilities,
  input: GenerationInput<unknown>,
): Capabilities['durationsSeconds'] => {
  const condition = conditionOf(fillShape(capabilities, input));
  const row = capabilities.durationsWhen?.find(({ when }) => fits(when, condition));
  return row?.durationsSeconds ?? capabilities.durationsSeconds;
};

const fillDefaults = <Media>({ capabilities }: Model, input: GenerationInput<Media>): GenerationInput<Media> =>
  fillOpen(fillShape(capabilities, input), { durationSeconds: firstDuration(durationsFor(capabilities, input)) });

const takesStyle = ({ capabilities }: Model, style: string): boolean => capabilities.styles?.includes(style) === true;

/** What is written into the prompt because the model has no parameter for it. */
const additionsTo = (model: Model, { style, colors }: GenerationInput<unknown>): string[] => {
  const fragment = style === null || takesStyle(model, style) ? null : styles.find(({ id }) => id === style);
  return [
    ...(fragment ? [`Style: ${fragment.promptFragment}.`] : []),
    ...(colors.length > 0 ? [`Main colours: ${colors.join(', ')}.`] : []),
  ];
};

const composePrompt = <Media>(model: Model, input: GenerationInput<Media>): GenerationInput<Media> => {
  const additions = additionsTo(model, input);
  if (additions.length === 0) return input;
  const prompt = input.prompt?.trim() ?? '';
  const ended = prompt === '' || /[.!?\u3002]$/.test(prompt) ? prompt : `${prompt}.`;
  const style = input.style !== null && takesStyle(model, input.style) ? input.style : null;
  return { ...input, prompt: [ended, ...additions].join(' ').trim(), style, colors: [] };
};

/**
 * The input as it is sent to this model: what the caller left open is the model's own default, so that price and wire
 * agree, and what the model has no parameter for stands in the prompt.
 */
export const adaptInput = <Media>(model: Model, input: GenerationInput<Media>): GenerationInput<Media> =>
  composePrompt(model, fillDefaults(model, input));

/** What the caller should know of it. */
export const describeAdaptation = (model: Model, input: GenerationInput<unknown>): string[] =>
  additionsTo(model, input).map((addition) => {
    const what = addition.startsWith('Style') ? 'style' : 'colors';
    return `${model.id} has no parameter for ${what}: it was written into the prompt`;
  });

import type { Answer } from '../answer';
import { contentFields, type Content, type ContentBody, type GenerationConfig, type Part } from './content-fields';
import { aspectRatiosOf } from './image-sizes';
import { jsonOf, readMessage } from './message';
import type { GoogleModel } from './models';
import { badPayload, invalidArgument } from './problems';

type Draft = { model: GoogleModel; body: ContentBody; config: GenerationConfig };

const bullet = (path: string, wrong: string): string => `* GenerateContentRequest.${path}: ${wrong}\n`;

const checkContents = ({ body }: Draft): string | undefined => {
  const contents = body.contents ?? [];
  if (contents.length === 0) return bullet('contents', 'contents is not specified');
  const empty = contents.findIndex(({ parts }) => (parts ?? []).length === 0);
  if (empty >= 0) return bullet(`contents[${empty}].parts`, 'contents.parts must not be empty.');
  return contents.every(({ role }) => role === undefined || ['user', 'model', 'function'].includes(role))
    ? undefined
    : 'Please use a valid role: user, model.';
};

const inlineTypes =
  /^(image\/(png|jpeg|webp|heic|heif|gif)|video\/[\w-]+|audio\/[\w-]+|application\/pdf|text\/[\w-]+)$/;

const sideFields = ['thought', 'thoughtSignature', 'partMetadata', 'videoMetadata', 'mediaResolution'];

const checkPart = (part: Part): string | undefined => {
  if (Object.keys(part).every((name) => sideFields.includes(name))) {
    return bullet('contents.parts.data', "required oneof field 'data' must have one initialized field");
  }
  const data = part.inlineData ?? part.fileData;
  if (data === undefined) return undefined;
  if (part.inlineData !== undefined && (part.inlineData.data ?? '') === '') return 'Inline data must not be empty.';
  return inlineTypes.test(data.mimeType ?? '') ? undefined : `Unsupported MIME type: ${data.mimeType ?? ''}`;
};

export const partsOf = ({ contents = [] }: ContentBody): Part[] => contents.flatMap(({ parts }) => parts ?? []);

const checkParts = ({ body }: Draft): string | undefined =>
  partsOf(body)
    .map(checkPart)
    .find((wrong) => wrong !== undefined);

type Range = { name: keyof GenerationConfig & ('temperature' | 'topP' | 'topK' | 'candidateCount'); path: string };

const ranges: (Range & { least: number; most: number; words: string })[] = [
  { name: 'temperature', path: 'temperature', least: 0, most: 2, words: 'in the range [0.0, 2.0]' },
  { name: 'topP', path: 'top_p', least: 0, most: 1, words: 'in the range [0.0, 1.0]' },
  { name: 'topK', path: 'top_k', least: 1, most: Infinity, words: 'positive' },
  { name: 'candidateCount', path: 'candidate_count', least: 1, most: 8, words: 'in the range [1, 8]' },
];

const checkRanges = ({ config, model }: Draft): string | undefined => {
  const range = ranges.find(({ name, least, most }) => {
    const value = config[name];
    return value !== undefined && (value < least || value > most);
  });
  if (range !== undefined) {
    return bullet(`generation_config.${range.path}`, `${range.path} must be ${range.words}.`);
  }
  const limit = model.outputTokenLimit;
  if ((config.maxOutputTokens ?? 1) < 1 || (config.maxOutputTokens ?? 1) > limit) {
    return `Unable to submit request because it has a maxOutputTokens value of ${config.maxOutputTokens} but the supported range is from 1 (inclusive) to ${limit + 1} (exclusive). Update the value and try again.`;
  }
  return (config.stopSequences ?? []).length > 5
    ? bullet('generation_config.stop_sequences', 'at most 5 stop sequences are allowed.')
    : undefined;
};

const mimeTypes = ['text/plain', 'application/json', 'application/xml', 'application/yaml', 'text/x.enum'];

const checkFormat = ({ config, model }: Draft): string | undefined => {
  const { responseMimeType = 'text/plain', responseSchema, responseJsonSchema } = config;
  if (!mimeTypes.includes(responseMimeType)) {
    const names = mimeTypes.map((name) => `\`${name}\``);
    const words = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
    return bullet('generation_config.response_mime_type', `allowed mimetypes are ${words}.`);
  }
  if (responseMimeType !== 'text/plain' && model.image !== undefined) {
    return `JSON mode is not enabled for models/${model.name}`;
  }
  if (responseSchema !== undefined && responseJsonSchema !== undefined) {
    return bullet('generation_config', 'only one of response_schema and response_json_schema can be set.');
  }
  return responseMimeType === 'text/plain' && (responseSchema ?? responseJsonSchema) !== undefined
    ? bullet('generation_config.response_schema', 'only allowed when response_mime_type is `application/json`.')
    : undefined;
};

const modalitiesOf = ({ image }: GoogleModel): string[] => (image === undefined ? ['TEXT'] : ['IMAGE', 'IMAGE, TEXT']);

const checkModalities = ({ config, model }: Draft): string | undefined => {
  const asked = [...new Set(config.responseModalities ?? [])].sort().join(', ');
  const allowed = modalitiesOf(model);
  if (asked === '' || allowed.includes(asked)) return undefined;
  const listed = allowed.map((names) => `* ${names}`).join('\n');
  return `The requested combination of response modalities (${asked}) is not supported by the model. models/${model.name} accepts the following combination of response modalities:\n${listed}\n`;
};

const checkImage = ({ config, model }: Draft): string | undefined => {
  const { imageConfig } = config;
  if (imageConfig === undefined) return undefined;
  if (model.image === undefined) return `Image config is not enabled for models/${model.name}`;
  const { aspectRatio = '1:1', imageSize = '1K' } = imageConfig;
  const ratios = aspectRatiosOf(model.name);
  if (!ratios.includes(aspectRatio)) return `Invalid aspect ratio: ${aspectRatio}. Supported: ${ratios.join(', ')}.`;
  return imageSize in model.image.sizes
    ? undefined
    : `Invalid image size: ${imageSize}. Supported: ${Object.keys(model.image.sizes).join(', ')}.`;
};

const checkThinking = ({ config, model }: Draft): string | undefined => {
  const { thinkingConfig } = config;
  if (thinkingConfig === undefined) return undefined;
  if (model.thinking === undefined) return 'Thinking is not enabled for this model.';
  if (thinkingConfig.thinkingBudget !== undefined && thinkingConfig.thinkingLevel !== undefined) {
    return 'You can only set only one of thinking budget and thinking level.';
  }
  return thinkingConfig.thinkingBudget === 0 && model.thinking === 'always'
    ? 'Budget 0 is invalid. This model only works in thinking mode.'
    : undefined;
};

const checkCount = ({ config, model }: Draft): string | undefined =>
  model.image !== undefined && (config.candidateCount ?? 1) > 1
    ? `Multiple candidates is not enabled for models/${model.name}`
    : undefined;

const checks = [
  checkContents,
  checkParts,
  checkRanges,
  checkFormat,
  checkModalities,
  checkImage,
  checkThinking,
  checkCount,
];

export const readContent = (given: unknown, model: GoogleModel): ContentBody | Answer => {
  const { value, violations } = readMessage(jsonOf(given), contentFields);
  if (violations.length > 0) return badPayload(violations);
  const body: ContentBody = value;
  const draft: Draft = { model, body, config: body.generationConfig ?? {} };
  const wrong = checks.map((check) => check(draft)).find((problem) => problem !== undefined);
  return wrong === undefined ? body : invalidArgument(wrong);
};

const textOf = ({ parts = [] }: Content): string =>
  parts
    .map((part) => part.text ?? '')
    .join(' ')
    .trim();

/** What the user said last; lenient, for faults are matched before anything is validated. */
export const lastPrompt = (given: unknown): string => {
  const { value } = readMessage(jsonOf(given), { contents: contentFields.contents });
  const contents = (value['contents'] ?? []) as Content[];
  const last = contents.findLast((content) => Object(content) === content && content.role !== 'model');
  const parts: unknown = last?.parts;
  return Array.isArray(parts)
    ? textOf({ parts: (parts as Part[]).filter((part) => typeof part?.text === 'string') })
    : '';
};

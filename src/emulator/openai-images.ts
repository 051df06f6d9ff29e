import { z } from 'zod';
import { jsonAnswer, type Answer } from './answer';
import { artifactUrl } from './artifacts';
import { renderOutput } from './media';
import { parseMultipart } from './multipart';
import type { Operation } from './operations';
import {
  invalidInput,
  invalidValue,
  missingParameter,
  modelFailed,
  moderationBlocked,
  problem,
} from './openai-problems';
import { countTokens } from './prose';
import type { Call } from './provider';
import { complete, fateOf } from './submit';

const gptShape = {
  model: z.string(),
  prompt: z.string().min(1).max(32_000),
  n: z.coerce.number().int().min(1).max(10).default(1),
  size: z.string().default('auto'),
  quality: z.enum(['low', 'medium', 'high', 'auto']).default('auto'),
  output_format: z.enum(['png', 'jpeg', 'webp']).default('png'),
  output_compression: z.coerce.number().int().min(0).max(100).optional(),
  background: z.enum(['transparent', 'opaque', 'auto']).default('auto'),
  moderation: z.enum(['low', 'auto']).optional(),
  stream: z.literal(false).optional(),
  partial_images: z.coerce.number().int().min(0).max(3).optional(),
  user: z.string().optional(),
  safety_identifier: z.string().optional(),
};

const gptSchema = z.strictObject(gptShape);
const editSchema = z.strictObject({ ...gptShape, input_fidelity: z.enum(['low', 'high']).optional() });
const dalleSchema = z.strictObject({
  model: z.string(),
  prompt: z.string().min(1).max(4_000),
  n: z.int().min(1).max(10).default(1),
  size: z.string().default('1024x1024'),
  quality: z.enum(['standard', 'hd', 'auto']).default('standard'),
  style: z.enum(['vivid', 'natural']).optional(),
  response_format: z.enum(['url', 'b64_json']).default('url'),
  user: z.string().optional(),
});

type ImageModel = {
  isRetired: boolean;
  /** USD per million tokens: text in, image in, image out. */
  rates: readonly [number, number, number];
  /** Output tokens of one megapixel (1024 x 1024). */
  tokens: Record<'low' | 'medium' | 'high', number>;
  sizes: 'any' | readonly string[];
};

const gptSizes = ['1024x1024', '1536x1024', '1024x1536', 'auto'] as const;
const noTokens = { low: 0, medium: 0, high: 0 };

/** Retired ones are served unless the lifecycle is strict, so that old recordings can be replayed. */
const models: Record<string, ImageModel> = {
  'gpt-image-2': { isRetired: false, rates: [5, 8, 30], tokens: { low: 200, medium: 1767, high: 7033 }, sizes: 'any' },
  'gpt-image-1-mini': {
    isRetired: false,
    rates: [2, 2.5, 8],
    tokens: { low: 625, medium: 1375, high: 4500 },
    sizes: gptSizes,
  },
  'gpt-image-1': {
    isRetired: true,
    rates: [5, 10, 40],
    tokens: { low: 275, medium: 1050, high: 4175 },
    sizes: gptSizes,
  },
  'dall-e-3': { isRetired: true, rates: [0, 0, 0], tokens: noTokens, sizes: ['1024x1024', '1792x1024', '1024x1792'] },
  'dall-e-2': { isRetired: true, rates: [0, 0, 0], tokens: noTokens, sizes: ['256x256', '512x512', '1024x1024'] },
};

const dallePrices: Record<string, number> = { 'dall-e-2': 0.02, 'dall-e-3': 0.04 };

type Dimensions = {
  width: number;
  height: number;
};

const anySizeProblem = ({ width, height }: Dimensions): string | undefined => {
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  if (short === 0 || width % 16 !== 0 || height % 16 !== 0) return 'Width and height must be divisible by 16.';
  if (long > 3 * short) return 'The aspect ratio must be between 1:3 and 3:1.';
  return long > 3840 || long * short > 3840 * 2160 ? 'The size is too large.' : undefined;
};

/** The dimensions, or what is wrong with them. */
const readSize = (size: string, { sizes }: ImageModel): Dimensions | string => {
  if (size === 'auto') return { width: 1024, height: 1024 };
  const [width = 0, height = 0] = (/^(\d{2,4})x(\d{2,4})$/.exec(size) ?? []).slice(1).map(Number);
  if (sizes === 'any') {
    const wrong = anySizeProblem({ width, height });
    return wrong === undefined ? { width, height } : `'${size}'. ${wrong}`;
  }
  return sizes.includes(size) ? { width, height } : `'${size}'. Supported values are: ${sizes.join(', ')}.`;
};

type ImageRequest = {
  model: string;
  prompt: string;
  count: number;
  quality: 'low' | 'medium' | 'high';
  format: string;
  background: string;
  asUrl: boolean;
  inputTokens: { text: number; image: number };
} & Dimensions;

const usageOf = (request: ImageRequest, rates: ImageModel): Record<string, unknown> & { costUsd: number } => {
  const megapixels = (request.width * request.height) / 1024 ** 2;
  const output_tokens = Math.round(rates.tokens[request.quality] * megapixels) * request.count;
  const { text, image } = request.inputTokens;
  const costUsd = (text * rates.rates[0] + image * rates.rates[1] + output_tokens * rates.rates[2]) / 1e6;
  const input_tokens = text + image;
  return {
    input_tokens,
    output_tokens,
    total_tokens: input_tokens + output_tokens,
    input_tokens_details: { text_tokens: text, image_tokens: image },
    output_tokens_details: { text_tokens: 0, image_tokens: output_tokens },
    costUsd,
  };
};

const hourMs = 3_600_000;

const dataOf = (call: Call, operation: Operation, asUrl: boolean): Record<string, string>[] =>
  operation.outputs.map((_, index) =>
    asUrl
      ? {
          url: artifactUrl(call, operation, { index, expiresAtMs: call.world.clock() + hourMs }),
          revised_prompt: operation.prompt,
        }
      : { b64_json: renderOutput(operation, index).toString('base64') },
  );

const generate = async (call: Call, request: ImageRequest, model: ImageModel): Promise<Answer> => {
  const fate = fateOf(call, request.prompt);
  if (fate.reason === 'content') return moderationBlocked;
  const { costUsd, ...usage } = usageOf(request, model);
  const shape = { contentType: `image/${request.format}`, width: request.width, height: request.height };
  const operation = await complete(call, {
    ...fate,
    // Filtered output was made and is charged, a server error is not.
    chargedOnFailure: fate.reason === 'filtered',
    model: request.model,
    medium: 'image',
    prompt: request.prompt,
    priceUsd: costUsd + (dallePrices[request.model] ?? 0) * request.count,
    durationMs: 8_000,
    outputs: Array.from({ length: request.count }, () => ({ ...shape })),
  });
  if (operation.ending === 'failed') return operation.reason === 'filtered' ? moderationBlocked : modelFailed;
  const created = Math.floor(operation.submittedAtMs / 1000);
  const data = dataOf(call, operation, request.asUrl);
  if (request.model.startsWith('dall-e')) return jsonAnswer(200, { created, data });
  const { quality, format: output_format, background, width, height } = request;
  return jsonAnswer(200, { created, background, data, output_format, quality, size: `${width}x${height}`, usage });
};

const findModel = (call: Call, name: unknown): ImageModel | Answer => {
  const model = typeof name === 'string' ? models[name] : undefined;
  if (model === undefined)
    return invalidValue('model', `'${String(name)}'. Supported values are: ${Object.keys(models).join(', ')}.`);
  if (!model.isRetired || !call.world.settings.strictLifecycle) return model;
  return problem(404, {
    message: `The model \`${String(name)}\` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations`,
    param: 'model',
    code: 'model_not_found',
  });
};

const isAnswer = (value: ImageModel | Answer): value is Answer => 'status' in value;

const readGpt = (value: z.infer<typeof gptSchema>, size: Dimensions, imageTokens: number): ImageRequest => ({
  model: value.model,
  prompt: value.prompt,
  count: value.n,
  ...size,
  quality: value.quality === 'auto' ? 'medium' : value.quality,
  format: value.output_format,
  background: value.background === 'transparent' ? 'transparent' : 'opaque',
  asUrl: false,
  inputTokens: { text: countTokens(value.prompt), image: imageTokens },
});

const readDalle = (value: z.infer<typeof dalleSchema>, size: Dimensions): ImageRequest => ({
  model: value.model,
  prompt: value.prompt,
  count: value.n,
  ...size,
  quality: 'medium',
  format: 'png',
  background: 'opaque',
  asUrl: value.response_format === 'url',
  inputTokens: { text: 0, image: 0 },
});

const generateGpt = (
  call: Call,
  body: unknown,
  edit: { imageTokens: number } | undefined,
): Answer | Promise<Answer> => {
  const model = findModel(call, (Object(body) as Record<string, unknown>)['model']);
  if (isAnswer(model)) return model;
  const parsed = (edit === undefined ? gptSchema : editSchema).safeParse(body);
  if (!parsed.success) return invalidInput(parsed.error);
  const size = readSize(parsed.data.size, model);
  if (typeof size === 'string') return invalidValue('size', size);
  if (parsed.data.model === 'gpt-image-2' && parsed.data.background === 'transparent') {
    return invalidValue('background', 'Transparent background is not supported for this model.');
  }
  return generate(call, readGpt(parsed.data, size, edit?.imageTokens ?? 0), model);
};

const generateDalle = (call: Call): Answer | Promise<Answer> => {
  const model = findModel(call, (Object(call.body) as Record<string, unknown>)['model']);
  if (isAnswer(model)) return model;
  const parsed = dalleSchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error);
  const size = readSize(parsed.data.size, model);
  return typeof size === 'string' ? invalidValue('size', size) : generate(call, readDalle(parsed.data, size), model);
};

export const generateImages = (call: Call): Answer | Promise<Answer> => {
  const { model } = Object(call.body) as Record<string, unknown>;
  return typeof model === 'string' && model.startsWith('dall-e')
    ? generateDalle(call)
    : generateGpt(call, call.body, undefined);
};

const isImageField = (name: string): boolean => name === 'image' || name === 'image[]';

export const editImages = (call: Call): Answer | Promise<Answer> => {
  const parts = parseMultipart(call.headers['content-type'], call.body);
  if (parts === undefined) {
    return problem(400, {
      message: 'Invalid Content-Type: expected multipart/form-data.',
      code: 'unsupported_content_type',
    });
  }
  const images = parts.filter(({ name }) => isImageField(name));
  if (images.length === 0) return missingParameter('image');
  if (images.some(({ fileName }) => fileName === undefined)) return invalidValue('image', 'expected a file.');
  const texts = parts.filter(({ fileName }) => fileName === undefined);
  const fields = Object.fromEntries(texts.map(({ name, bytes }) => [name, bytes.toString('utf8')]));
  return generateGpt(call, fields, { imageTokens: images.length * 388 });
};

export const imageModelNames = (strict: boolean): string[] =>
  Object.entries(models).flatMap(([name, { isRetired }]) => (isRetired && strict ? [] : [name]));

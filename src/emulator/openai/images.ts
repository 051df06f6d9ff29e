import { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { artifactUrl } from '../artifacts';
import { renderOutput } from '../media';
import type { Operation } from '../operations';
import type { Size } from '../png';
import { countTokens } from '../prose';
import type { Call } from '../provider';
import { complete, fateOf } from '../submit';
import { readForm, type Form } from './form';
import { findImageModel, readSize, type DalleModel, type GptImageModel } from './image-models';
import {
  invalidInput,
  invalidValue,
  missingParameter,
  modelFailed,
  moderationBlocked,
  multipartExpected,
  problem,
} from './problems';

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
  // Streaming images is not emulated, and refused rather than ignored.
  stream: z.union([z.literal(false), z.literal('false')]).optional(),
  partial_images: z.coerce.number().int().min(0).max(3).optional(),
  user: z.string().optional(),
  safety_identifier: z.string().optional(),
};

const gptSchema = z.strictObject(gptShape);
const gptEditSchema = z.strictObject({ ...gptShape, input_fidelity: z.enum(['low', 'high']).optional() });

const dalleShape = {
  model: z.string(),
  n: z.coerce.number().int().min(1).max(10).default(1),
  size: z.string().default('1024x1024'),
  response_format: z.enum(['url', 'b64_json']).default('url'),
  user: z.string().optional(),
};

const dalle3Schema = z.strictObject({
  ...dalleShape,
  prompt: z.string().min(1).max(4_000),
  quality: z.enum(['standard', 'hd', 'auto']).default('standard'),
  style: z.enum(['vivid', 'natural']).optional(),
});

const dalle2Schema = z.strictObject({
  ...dalleShape,
  prompt: z.string().min(1).max(1_000),
  quality: z.enum(['standard', 'auto']).default('standard'),
});

type GptBody = z.infer<typeof gptEditSchema>;
type DalleBody = z.infer<typeof dalle3Schema>;

/** Tokens of one picture to start from; a rough mean, for the real number depends on its size and fidelity. */
const inputImageTokens = 388;

const usageOf = (body: GptBody, model: GptImageModel, { width, height, images }: Size & { images: number }) => {
  const quality = body.quality === 'auto' ? 'medium' : body.quality;
  const megapixels = (width * height) / 1024 ** 2;
  const output_tokens = Math.round(model.tokens[quality] * megapixels) * body.n;
  const [text_tokens, image_tokens] = [countTokens(body.prompt), images * inputImageTokens];
  const [textRate, imageRate, outputRate] = model.rates;
  return {
    quality,
    costUsd: (text_tokens * textRate + image_tokens * imageRate + output_tokens * outputRate) / 1e6,
    usage: {
      input_tokens: text_tokens + image_tokens,
      output_tokens,
      total_tokens: text_tokens + image_tokens + output_tokens,
      input_tokens_details: { text_tokens, image_tokens },
      output_tokens_details: { text_tokens: 0, image_tokens: output_tokens },
    },
  };
};

type Drawing = Size & {
  model: string;
  prompt: string;
  count: number;
  contentType: string;
  priceUsd: number;
};

/** The finished operation, or the refusal that came instead. */
const draw = async (call: Call, drawing: Drawing): Promise<Operation | Answer> => {
  const { model, prompt, count, contentType, width, height, priceUsd } = drawing;
  const fate = fateOf(call, prompt);
  if (fate.reason === 'content') return moderationBlocked;
  const operation = await complete(call, {
    ...fate,
    // Filtered output was made and is charged, a server error is not.
    chargedOnFailure: fate.reason === 'filtered',
    model,
    medium: 'image',
    prompt,
    priceUsd,
    durationMs: 8_000,
    outputs: Array.from({ length: count }, () => ({ contentType, width, height })),
  });
  if (operation.ending !== 'failed') return operation;
  return operation.reason === 'filtered' ? moderationBlocked : modelFailed;
};

const isAnswer = (value: object): value is Answer => 'parts' in value;

const createdOf = ({ submittedAtMs }: Operation): number => Math.floor(submittedAtMs / 1000);

const asBase64 = (operation: Operation): Record<string, string>[] =>
  operation.outputs.map((_, index) => ({ b64_json: renderOutput(operation, index).toString('base64') }));

const hourMs = 3_600_000;

const asUrls = (call: Call, operation: Operation): Record<string, string>[] =>
  operation.outputs.map((_, index) => ({
    url: artifactUrl(call, operation, { index, expiresAtMs: call.world.clock() + hourMs }),
    ...(operation.model === 'dall-e-3' ? { revised_prompt: operation.prompt } : {}),
  }));

const checkGpt = (body: GptBody, model: GptImageModel): Answer | undefined => {
  if (body.background === 'transparent' && !model.canBeTransparent) {
    return invalidValue('background', 'Transparent background is not supported for this model.');
  }
  if (body.background === 'transparent' && body.output_format === 'jpeg') {
    return invalidValue('background', 'Transparent background is not supported for the jpeg format.');
  }
  return body.input_fidelity !== undefined && !model.hasInputFidelity
    ? invalidValue('input_fidelity', 'This model does not support input_fidelity.')
    : undefined;
};

type Wanted = {
  body: unknown;
  /** Pictures to start from; undefined = from text alone. */
  images: number | undefined;
};

const drawGpt = async (call: Call, { body, images }: Wanted, model: GptImageModel): Promise<Answer> => {
  const parsed = (images === undefined ? gptSchema : gptEditSchema).safeParse(body);
  if (!parsed.success) return invalidInput(parsed.error);
  const value: GptBody = parsed.data;
  const size = readSize(value.size, model);
  if (typeof size === 'string') return invalidValue('size', size);
  const refusal = checkGpt(value, model);
  if (refusal !== undefined) return refusal;
  const { quality, costUsd, usage } = usageOf(value, model, { ...size, images: images ?? 0 });
  const { model: name, prompt, n: count, output_format } = value;
  const operation = await draw(call, {
    ...size,
    model: name,
    prompt,
    count,
    contentType: `image/${output_format}`,
    priceUsd: costUsd,
  });
  if (isAnswer(operation)) return operation;
  return jsonAnswer(200, {
    created: createdOf(operation),
    background: value.background === 'transparent' ? 'transparent' : 'opaque',
    data: asBase64(operation),
    output_format,
    quality,
    size: `${size.width}x${size.height}`,
    usage,
  });
};

const drawDalle = async (call: Call, { body }: Wanted, model: DalleModel): Promise<Answer> => {
  const parsed = (model.maximumCount === 1 ? dalle3Schema : dalle2Schema).safeParse(body);
  if (!parsed.success) return invalidInput(parsed.error);
  const value: DalleBody = parsed.data;
  const size = readSize(value.size, model);
  if (typeof size === 'string') return invalidValue('size', size);
  if (value.n > model.maximumCount) return invalidValue('n', `must be at most ${model.maximumCount} for this model.`);
  const imageUsd = model.prices[value.quality === 'hd' ? 'hd' : 'standard']?.[value.size] ?? 0;
  const { model: name, prompt, n: count } = value;
  const drawing = { ...size, model: name, prompt, count, contentType: 'image/png', priceUsd: imageUsd * count };
  const operation = await draw(call, drawing);
  if (isAnswer(operation)) return operation;
  const data = value.response_format === 'url' ? asUrls(call, operation) : asBase64(operation);
  return jsonAnswer(200, { created: createdOf(operation), data });
};

const drawAny = (call: Call, wanted: Wanted, otherwise: string): Answer | Promise<Answer> => {
  const { model: asked } = Object(wanted.body) as Record<string, unknown>;
  if (asked !== undefined && asked !== null && typeof asked !== 'string') return invalidValue('model', 'a string.');
  const name = asked ?? otherwise;
  const model = findImageModel(call.world, name);
  if (isAnswer(model)) return model;
  const named = { ...wanted, body: { ...Object(wanted.body), model: name } as unknown };
  return model.family === 'gpt' ? drawGpt(call, named, model) : drawDalle(call, named, model);
};

export const generateImages = (call: Call): Answer | Promise<Answer> =>
  drawAny(call, { body: call.body, images: undefined }, 'dall-e-2');

const pictureMagic = /^(\x89PNG|\xff\xd8\xff|RIFF....WEBP)/s;
const longestSeries = 16;

const checkFiles = ({ files, fields }: Form): Answer | undefined => {
  const images = files.filter(({ name }) => name === 'image');
  if (images.length === 0)
    return 'image' in fields ? invalidValue('image', 'expected a file.') : missingParameter('image');
  if (images.length > longestSeries) return invalidValue('image', `at most ${longestSeries} images.`);
  const mask = files.find(({ name }) => name === 'mask');
  if (mask !== undefined && !mask.bytes.toString('latin1', 0, 4).endsWith('PNG')) {
    return invalidValue('mask', 'expected a PNG file.');
  }
  const broken = images.findIndex(({ bytes }) => !pictureMagic.test(bytes.toString('latin1', 0, 12)));
  if (broken < 0) return undefined;
  const message = `Invalid image file or mode for image ${broken + 1}, please check your image file.`;
  return problem(400, { message, type: 'image_generation_user_error', param: 'image', code: 'invalid_image_file' });
};

export const editImages = (call: Call): Answer | Promise<Answer> => {
  const form = readForm(call);
  if (form === undefined) return multipartExpected;
  const refusal = checkFiles(form);
  if (refusal !== undefined) return refusal;
  if (form.fields['model'] === 'dall-e-3') return invalidValue('model', "'dall-e-3' cannot edit images.");
  const images = form.files.filter(({ name }) => name === 'image').length;
  return drawAny(call, { body: form.fields, images }, 'gpt-image-1.5');
};

import { z } from 'zod';
import { bytesAnswer, type Answer } from '../answer';
import { renderOutput } from '../media';
import { parseMultipart } from '../multipart';
import type { Call } from '../provider';
import { complete, fateOf } from '../submit';
import type { ImageModel } from './models';
import { badBase64, badInput, envelope, invalidInput, modelFailed, nsfwOutput, nsfwPrompt } from './problems';

const promptOnly = z.object({ prompt: z.string().min(1).max(2048), seed: z.int().nullish() });

const diffusion = z.object({
  prompt: z.string().min(1),
  negative_prompt: z.string().nullish(),
  width: z.int().min(256).max(2048).default(1024),
  height: z.int().min(256).max(2048).default(1024),
  strength: z.number().min(0).max(1).nullish(),
  guidance: z.number().nullish(),
  seed: z.int().nullish(),
  image: z.array(z.number().min(0).max(255)).nullish(),
  image_b64: z.unknown().optional(),
  mask: z.array(z.number().min(0).max(255)).nullish(),
});

/** Fields of a form are text. */
const form = z.object({
  prompt: z.string().min(1),
  width: z.coerce.number().int().min(256).max(1920).default(1024),
  height: z.coerce.number().int().min(256).max(1920).default(1024),
  seed: z.coerce.number().int().optional(),
  guidance: z.coerce.number().optional(),
});

type ImageRequest = {
  prompt: string;
  width: number;
  height: number;
  steps: number;
  inputTiles: number;
};

const maxInputImages = 4;
// Inputs are scaled to at most one tile.
const inputTilesPerImage = 1;

const stepsOf = (fields: unknown, { steps }: ImageModel): number | Answer => {
  const schema = z.object({ [steps.name]: z.coerce.number().int().min(1).max(steps.most).default(steps.default) });
  const parsed = schema.safeParse(fields);
  return parsed.success ? Number(parsed.data[steps.name]) : invalidInput(parsed.error, fields);
};

const readForm = (call: Call, model: ImageModel): ImageRequest | Answer => {
  const parts = parseMultipart(call.headers['content-type'], call.body);
  if (parts === undefined) return badInput("required properties at '/' are 'multipart'");
  const texts = parts.filter(({ fileName }) => fileName === undefined);
  const fields = Object.fromEntries(texts.map(({ name, bytes }) => [name, bytes.toString('utf8')]));
  const images = parts.filter(({ name, fileName }) => fileName !== undefined && /^(input_)?image/.test(name));
  if (images.length > maxInputImages) return badInput(`at most ${maxInputImages} input images`);
  const parsed = form.safeParse(fields);
  if (!parsed.success) return invalidInput(parsed.error, fields);
  const steps = stepsOf(fields, model);
  return typeof steps === 'number' ? { ...parsed.data, steps, inputTiles: images.length * inputTilesPerImage } : steps;
};

const readJson = (call: Call, model: ImageModel): ImageRequest | Answer => {
  const parsed = (model.output === 'bytes' ? diffusion : promptOnly).safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error, call.body);
  const { image_b64: image } = Object(call.body) as { image_b64?: unknown };
  if (image !== undefined && image !== null && typeof image !== 'string') return badBase64(typeof image);
  const steps = stepsOf(call.body, model);
  return typeof steps === 'number' ? { width: 1024, height: 1024, ...parsed.data, steps, inputTiles: 0 } : steps;
};

const tilesOf = ({ width, height }: ImageRequest): number => Math.ceil(width / 512) * Math.ceil(height / 512);

/** What faults can be matched with: forms name it in plain sight. */
export const promptOf = (body: unknown): string => {
  if (!Buffer.isBuffer(body)) return String((Object(body) as { prompt?: unknown }).prompt);
  return /name="prompt"\r\n\r\n([^\r]*)/.exec(body.toString('utf8'))?.[1] ?? '';
};

export const runImage = async (call: Call, name: string, model: ImageModel): Promise<Answer> => {
  const request = model.input === 'multipart' ? readForm(call, model) : readJson(call, model);
  if ('status' in request) return request;
  const { prompt, width, height, steps, inputTiles } = request;
  const fate = fateOf(call, prompt);
  if (fate.reason === 'content') return nsfwPrompt();
  const operation = await complete(call, {
    ...fate,
    // What was withheld had been drawn.
    chargedOnFailure: fate.reason === 'filtered',
    model: name,
    medium: 'image',
    prompt,
    priceUsd: model.priceUsd({ inputTiles, outputTiles: tilesOf(request), steps }),
    durationMs: 3_000,
    outputs: [{ contentType: model.contentType, width, height }],
  });
  if (operation.ending === 'failed') return operation.reason === 'filtered' ? nsfwOutput() : modelFailed();
  const bytes = renderOutput(operation, 0);
  return model.output === 'bytes'
    ? bytesAnswer(bytes, { 'content-type': model.contentType })
    : envelope({ image: bytes.toString('base64') });
};

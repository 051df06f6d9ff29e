import type { Answer } from '../answer';
import { isShut } from '../lifecycle';
import type { Call } from '../provider';
import { envelope } from './problems';

export type TextModel = {
  task: 'Text Generation';
  /** USD per million tokens: in, out. */
  rates: readonly [number, number];
  /** The day from which it is refused. */
  deprecatedOn?: string;
  /** `response`: one text; `openai`: answers in the shape of the API it was asked in. */
  shape: 'response' | 'openai';
  hasJsonMode: boolean;
};

export type ImageModel = {
  task: 'Text-to-Image';
  input: 'json' | 'multipart';
  /** Base64 in the envelope, or the bytes and nothing else. */
  output: 'base64' | 'bytes';
  contentType: 'image/jpeg' | 'image/png';
  /** USD by tiles of 512 x 512 that come in and out, and steps. */
  priceUsd: (work: { inputTiles: number; outputTiles: number; steps: number }) => number;
  steps: { name: 'steps' | 'num_steps'; default: number; most: number };
};

const textModels: Record<string, TextModel> = {
  '@cf/meta/llama-3.1-8b-instruct': {
    task: 'Text Generation',
    rates: [0.282, 0.827],
    deprecatedOn: '2026-05-30',
    shape: 'response',
    hasJsonMode: true,
  },
  '@cf/meta/llama-3.1-8b-instruct-fp8-fast': {
    task: 'Text Generation',
    rates: [0.045, 0.384],
    shape: 'response',
    hasJsonMode: true,
  },
  '@cf/meta/llama-3.3-70b-instruct-fp8-fast': {
    task: 'Text Generation',
    rates: [0.293, 2.253],
    shape: 'response',
    hasJsonMode: true,
  },
  '@cf/openai/gpt-oss-120b': { task: 'Text Generation', rates: [0.35, 0.75], shape: 'openai', hasJsonMode: true },
};

const imageModels: Record<string, ImageModel> = {
  '@cf/black-forest-labs/flux-1-schnell': {
    task: 'Text-to-Image',
    input: 'json',
    output: 'base64',
    contentType: 'image/jpeg',
    priceUsd: ({ outputTiles, steps }) => outputTiles * 0.0000528 + steps * 0.0001056,
    steps: { name: 'steps', default: 4, most: 8 },
  },
  '@cf/stabilityai/stable-diffusion-xl-base-1.0': {
    task: 'Text-to-Image',
    input: 'json',
    output: 'bytes',
    contentType: 'image/png',
    // In beta, and as yet without a price.
    priceUsd: () => 0,
    steps: { name: 'num_steps', default: 20, most: 20 },
  },
  '@cf/black-forest-labs/flux-2-dev': {
    task: 'Text-to-Image',
    input: 'multipart',
    output: 'base64',
    contentType: 'image/jpeg',
    priceUsd: ({ inputTiles, outputTiles, steps }) => steps * (inputTiles * 0.00021 + outputTiles * 0.00041),
    steps: { name: 'steps', default: 25, most: 50 },
  },
  '@cf/black-forest-labs/flux-2-klein-4b': {
    task: 'Text-to-Image',
    input: 'multipart',
    output: 'base64',
    contentType: 'image/jpeg',
    priceUsd: ({ inputTiles, outputTiles }) => inputTiles * 0.000059 + outputTiles * 0.000287,
    // Fixed: a distilled model.
    steps: { name: 'steps', default: 4, most: 4 },
  },
  '@cf/black-forest-labs/flux-2-klein-9b': {
    task: 'Text-to-Image',
    input: 'multipart',
    output: 'base64',
    contentType: 'image/jpeg',
    // By the megapixel, of which four tiles are one: the first one made, every further one, and what comes in.
    priceUsd: ({ inputTiles, outputTiles }) =>
      0.015 + 0.002 * (Math.max(1, Math.ceil(outputTiles / 4)) - 1 + Math.ceil(inputTiles / 4)),
    steps: { name: 'steps', default: 4, most: 4 },
  },
};

const models: Record<string, TextModel | ImageModel> = { ...textModels, ...imageModels };

export const findModel = (name: string): TextModel | ImageModel | undefined => models[name];

/** The day it ended, if that counts. */
export const endOf = (call: Call, model: TextModel | ImageModel): string | undefined => {
  const day = 'deprecatedOn' in model ? model.deprecatedOn : undefined;
  return isShut(call.world, day) ? day : undefined;
};

const describe = ([name, { task }]: [string, TextModel | ImageModel], index: number): Record<string, unknown> => ({
  id: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
  source: 1,
  name,
  description: `${name.split('/').at(-1) ?? name}, as the emulator has it.`,
  task: { id: task.toLowerCase().replaceAll(' ', '-'), name: task, description: '' },
  tags: [],
  properties: [],
});

export const searchModels = (call: Call): Answer => {
  const wanted = call.query.get('search')?.toLowerCase() ?? '';
  const task = call.query.get('task')?.toLowerCase();
  const found = Object.entries(models)
    .filter(([name, model]) => name.toLowerCase().includes(wanted) && endOf(call, model) === undefined)
    .filter(([, model]) => task === undefined || model.task.toLowerCase() === task)
    .map(describe);
  const page = Number(call.query.get('page') ?? 1);
  const perPage = Number(call.query.get('per_page') ?? 50);
  const result = found.slice((page - 1) * perPage, page * perPage);
  const result_info = { count: result.length, page, per_page: perPage, total_count: found.length };
  return envelope(result, { result_info });
};

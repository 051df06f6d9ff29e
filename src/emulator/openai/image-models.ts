import type { Answer } from '../answer';
import { isShut } from '../lifecycle';
import type { Size } from '../png';
import type { World } from '../world';
import { invalidValue, modelRetired } from './problems';

type Quality = 'low' | 'medium' | 'high';

/** Charged by the token. */
export type GptImageModel = {
  family: 'gpt';
  shutOn?: string;
  sizes: 'any' | readonly string[];
  /** USD per million tokens: text in, image in, image out. */
  rates: readonly [number, number, number];
  /** Output tokens of one megapixel (1024 x 1024). */
  tokens: Record<Quality, number>;
  canBeTransparent: boolean;
  hasInputFidelity: boolean;
};

/** Charged by the image; `prices` by quality and size. */
export type DalleModel = {
  family: 'dalle';
  shutOn: string;
  sizes: readonly string[];
  prices: Record<string, Record<string, number>>;
  maximumCount: number;
};

export type ImageModel = GptImageModel | DalleModel;

const gptSizes = ['1024x1024', '1536x1024', '1024x1536', 'auto'] as const;
const earlier = { family: 'gpt', sizes: gptSizes, canBeTransparent: true } as const;

/** DALL·E's day is from memory of OpenAI's list of deprecations, the others are from the types of its SDK 7.55. */
const dalleShutOn = '2026-05-12';

/** @see Portkey-AI/models f654307e and litellm 1.109.1 for the prices, read 2026-11-21 */
const models: Record<string, ImageModel> = {
  'gpt-image-2': {
    family: 'gpt',
    sizes: 'any',
    rates: [5, 8, 30],
    tokens: { low: 200, medium: 1767, high: 7033 },
    canBeTransparent: false,
    hasInputFidelity: true,
  },
  'gpt-image-1.5': {
    ...earlier,
    shutOn: '2026-12-01',
    rates: [5, 8, 32],
    tokens: { low: 281, medium: 1063, high: 4156 },
    hasInputFidelity: true,
  },
  'gpt-image-1-mini': {
    ...earlier,
    rates: [2, 2.5, 8],
    tokens: { low: 625, medium: 1375, high: 4500 },
    hasInputFidelity: false,
  },
  'gpt-image-1': {
    ...earlier,
    shutOn: '2026-10-23',
    rates: [5, 10, 40],
    tokens: { low: 275, medium: 1050, high: 4175 },
    hasInputFidelity: true,
  },
  'dall-e-3': {
    family: 'dalle',
    shutOn: dalleShutOn,
    sizes: ['1024x1024', '1792x1024', '1024x1792'],
    prices: {
      standard: { '1024x1024': 0.04, '1792x1024': 0.08, '1024x1792': 0.08 },
      hd: { '1024x1024': 0.08, '1792x1024': 0.12, '1024x1792': 0.12 },
    },
    maximumCount: 1,
  },
  'dall-e-2': {
    family: 'dalle',
    shutOn: dalleShutOn,
    sizes: ['256x256', '512x512', '1024x1024'],
    prices: { standard: { '256x256': 0.016, '512x512': 0.018, '1024x1024': 0.02 } },
    maximumCount: 10,
  },
};

export const imageModelNames = (world: World): string[] =>
  Object.entries(models).flatMap(([name, { shutOn }]) => (isShut(world, shutOn) ? [] : [name]));

export const findImageModel = (world: World, name: string): ImageModel | Answer => {
  const model = models[name];
  if (model === undefined) {
    return invalidValue('model', `'${name}'. Supported values are: ${Object.keys(models).join(', ')}.`);
  }
  return isShut(world, model.shutOn) ? modelRetired(name) : model;
};

const anySizeProblem = ({ width, height }: Size): string | undefined => {
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  if (short === 0 || width % 16 !== 0 || height % 16 !== 0) return 'Width and height must be divisible by 16.';
  if (long > 3 * short) return 'The aspect ratio must be between 1:3 and 3:1.';
  return long > 3840 || long * short > 3840 * 2160 ? 'The size is too large.' : undefined;
};

/** The dimensions, or what is wrong with them. */
export const readSize = (size: string, { sizes }: ImageModel): Size | string => {
  if (size === 'auto' && (sizes === 'any' || sizes.includes('auto'))) return { width: 1024, height: 1024 };
  const [width = 0, height = 0] = (/^(\d{2,4})x(\d{2,4})$/.exec(size) ?? []).slice(1).map(Number);
  if (sizes === 'any') {
    const wrong = anySizeProblem({ width, height });
    return wrong === undefined ? { width, height } : `'${size}'. ${wrong}`;
  }
  return sizes.includes(size) ? { width, height } : `'${size}'. Supported values are: ${sizes.join(', ')}.`;
};

import { z } from 'zod';
import type { Medium, OutputShape } from '../operations';
import type { Size } from '../png';

/** What is common to all models once their input is valid. */
export type FalPlan = {
  medium: Medium;
  outputs: OutputShape[];
  priceUsd: number;
  latencyMs: number;
  seed: number | null;
};

/** The size of an image that the input names, as far as it can be known without a download. */
export type ReadSize = (url: string) => Size | undefined;

type FalModel = {
  schema: z.ZodType<Record<string, unknown>>;
  plan: (input: Record<string, unknown>, readSize: ReadSize) => FalPlan;
};

export type FalModels = Record<string, FalModel>;

/** fal ignores fields it does not know, so no schema here is strict. */
export const define = <Input extends Record<string, unknown>>(
  schema: z.ZodType<Input>,
  plan: (input: Input, readSize: ReadSize) => FalPlan,
): FalModel => ({ schema, plan: (input, readSize) => plan(input as Input, readSize) });

export const seed = z.int().nullish();

export const imageUrl = z.string().regex(/^(https?:\/\/|data:image\/)/, 'Invalid URL');

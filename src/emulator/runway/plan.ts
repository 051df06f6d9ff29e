import type { z } from 'zod';
import type { Medium, OutputShape } from '../operations';

/** What is common to all models once their body is valid. */
export type RunwayPlan = {
  medium: Medium;
  prompt: string;
  credits: number;
  outputs: OutputShape[];
  latencyMs: number;
};

type RunwayModel = {
  schema: z.ZodType<Record<string, unknown>>;
  plan: (body: Record<string, unknown>) => RunwayPlan;
  /** The day on which the model was gone at the latest; undefined = it is sold. */
  shutOn?: string;
};

/** By model name: what one endpoint takes. */
export type RunwayModels = Record<string, RunwayModel>;

export const define = <Body extends Record<string, unknown>>(
  schema: z.ZodType<Body>,
  plan: (body: Body) => RunwayPlan,
  shutOn?: string,
): RunwayModel => ({
  schema,
  plan: (body) => plan(body as Body),
  ...(shutOn === undefined ? {} : { shutOn }),
});

export const sizeOf = (ratio: string): { width: number; height: number } => {
  const [width = 1280, height = 720] = ratio.split(':').map(Number);
  return { width, height };
};

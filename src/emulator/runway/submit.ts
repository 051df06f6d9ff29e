import { jsonAnswer, type Answer } from '../answer';
import { isShut } from '../lifecycle';
import type { Call } from '../provider';
import { accept, fateOf, type Fate } from '../submit';
import type { Draft } from '../world';
import { creditUsd } from './organization';
import type { RunwayModels, RunwayPlan } from './plan';
import { invalidBody } from './problems';
import { findMissingUpload } from './uploads';

/** Refused content is a failed task here, not a refused request; it ends early and is charged. */
const fatesOf = (
  fate: Fate,
  plan: RunwayPlan,
): Pick<Draft, 'ending' | 'reason' | 'chargedOnFailure' | 'durationMs'> => ({
  ...fate,
  chargedOnFailure: fate.reason === 'content' || fate.reason === 'filtered',
  durationMs: fate.reason === 'content' ? Math.min(3_000, plan.latencyMs) : plan.latencyMs,
});

const unknownModel = (model: unknown, known: string[]): Answer =>
  invalidBody([
    {
      code: 'invalid_union_discriminator',
      path: ['model'],
      message:
        typeof model === 'string'
          ? `Model variant ${model} is not available. Expected ${known.map((name) => `'${name}'`).join(' | ')}`
          : 'Required',
    },
  ]);

export const submitTo =
  (models: RunwayModels) =>
  (call: Call): Answer => {
    const name = (Object(call.body) as Record<string, unknown>)['model'];
    const known = Object.keys(models).filter((candidate) => !isShut(call.world, models[candidate]?.shutOn));
    const model = typeof name === 'string' && known.includes(name) ? models[name] : undefined;
    if (model === undefined) return unknownModel(name, known);
    const parsed = model.schema.safeParse(call.body);
    if (!parsed.success) return invalidBody(parsed.error.issues);
    const missing = findMissingUpload(call);
    if (missing !== undefined) return invalidBody([{ path: [], message: `The upload ${missing} does not exist` }]);
    const plan = model.plan(parsed.data);
    const { medium, prompt, credits, outputs } = plan;
    const fate = fatesOf(fateOf(call, prompt), plan);
    const draft = { ...fate, model: String(name), medium, prompt, priceUsd: credits * creditUsd, outputs };
    const operation = accept(call, draft, String(name));
    return jsonAnswer(200, { id: operation.id, estimatedCost: { credits } });
  };

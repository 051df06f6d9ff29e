import { SureshotError } from '../domain/failure';
import type { GenerationInput, GenerationRequest, MediaInput } from '../domain/generation';
import { admitRequest, completeRequest } from './admission';
import type { ApiDependencies } from './dependencies';
import { lookUpMedia, type InlineMedia } from './media-lookup';
import { generationSchema } from './schemas';
import { parseBody } from './validation';

/** Any field of a generation's body but its medium. */
export type Overrides = Record<string, unknown>;

/** What may change without the work becoming another one: what was paid for it is still what is wanted. */
const besideTheWork = new Set(['priority', 'deadlineSeconds', 'onAmbiguous', 'user', 'metadata', 'tags']);

export const keepsWork = (overrides: Overrides): boolean =>
  Object.keys(overrides).every((field) => besideTheWork.has(field));

const mediaSlots = ['image', 'lastFrame', 'referenceImages', 'video'] as const;

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const mergeMember = (base: object, override: unknown): unknown =>
  override === undefined ? base : isObject(override) ? { ...base, ...override } : override;

/** As a caller would have sent it, media left out: they are kept where they are. */
const toBody = (whole: GenerationRequest, overrides: Overrides): Record<string, unknown> => {
  const { input, routing, modelFrom: _modelFrom, warnings: _warnings, ...request } = whole;
  const { image: _image, lastFrame: _lastFrame, referenceImages: _references, video: _video, ...plain } = input;
  return {
    ...request,
    ...overrides,
    input: mergeMember(plain, overrides['input']),
    routing: mergeMember(routing, overrides['routing']),
  };
};

/** The violations of a merged body are those of the overrides: what was accepted once is not at fault. */
const inOverrides = (error: unknown): unknown =>
  error instanceof SureshotError && error.violations.length > 0
    ? new SureshotError(error.code, error.message, {
        violations: error.violations.map(({ pointer, detail }) => ({ pointer: `/overrides${pointer}`, detail })),
      })
    : error;

type Media = Pick<GenerationInput<MediaInput>, (typeof mediaSlots)[number]>;

/** Images and videos that the overrides do not name stay those of before. */
const keptMedia = ({ input }: GenerationRequest, overrides: Overrides): Partial<Media> => {
  const named = isObject(overrides['input']) ? overrides['input'] : {};
  const kept = mediaSlots.filter((slot) => !(slot in named));
  return Object.fromEntries(kept.map((slot) => [slot, input[slot]]));
};

/** Where nobody names another model, who named that of before stays known. */
const keptCompletion = (
  { modelFrom, warnings }: GenerationRequest,
  overrides: Overrides,
): Pick<GenerationRequest, 'modelFrom' | 'warnings'> =>
  'model' in overrides || 'provider' in overrides || 'routing' in overrides
    ? {}
    : { ...(modelFrom && { modelFrom }), ...(warnings && { warnings }) };

type Rerun = { id: string; tenantId: string; request: GenerationRequest; overrides: Overrides };

const change = async (
  dependencies: ApiDependencies,
  { id, tenantId, request, overrides }: Rerun,
): Promise<{ request: GenerationRequest; inline: InlineMedia[] }> => {
  const parsed = parseBody(generationSchema, toBody(request, overrides));
  const named = await completeRequest(dependencies, tenantId, parsed);
  const { request: looked, inline } = await lookUpMedia(dependencies, { tenantId, generationId: id }, named);
  const whole = {
    ...looked,
    ...keptCompletion(request, overrides),
    input: { ...looked.input, ...keptMedia(request, overrides) },
  };
  // the same work was admitted before, and may be paid for: also where its model is not sold any more
  return { request: keepsWork(overrides) ? whole : admitRequest(dependencies, { id, request: whole }), inline };
};

/** The request of a generation with what shall be different this time. Refused like a new one where the work differs. */
export const changeRequest = async (
  dependencies: ApiDependencies,
  rerun: Rerun,
): Promise<{ request: GenerationRequest; inline: InlineMedia[] }> => {
  if (Object.keys(rerun.overrides).length === 0) return { request: rerun.request, inline: [] };
  try {
    return await change(dependencies, rerun);
  } catch (error) {
    throw inOverrides(error);
  }
};

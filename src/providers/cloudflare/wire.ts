import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import { z } from 'zod';
import { ProviderError, type Call, type Media, type Outcome, type ReadyInput } from '../provider';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import { withoutNulls } from '../request-values';
import type { Answer, Purpose } from '../transport';
import { isContentRejected, readProblems, readResult, type Problem } from './envelope';

export { collectText, toTextOutcome, toTextRequest, type TextRequest } from './text';

const accountOf = ({ credential }: Call): string => {
  if (credential.accountId !== undefined && credential.accountId !== '') return credential.accountId;
  throw new ProviderError('provider_auth', 'CLOUDFLARE_ACCOUNT_ID is not set', { accepted: 'no', scope: 'credential' });
};

const aiPath = (call: Call): string => `/accounts/${encodeURIComponent(accountOf(call))}/ai`;

/** The slashes of the model stay as they are: escaped, as the SDK's `ai.run` has them, the API knows no such route. */
export const runPath = (model: Model, call: Call): string => `${aiPath(call)}/run/${model.providerModel}`;

export const listPath = (call: Call): string => `${aiPath(call)}/models/search`;

/** Proves that the token reaches the account, which the verification of the token alone does not. */
export const checkModels = (body: unknown): void => {
  if (!z.array(z.unknown()).safeParse(readResult(body)).success) throw badResponse('not a list of models');
};

const sidesOf = (size: string | null): { width: number | null; height: number | null } => {
  const [width = null, height = null] = (size ?? '').split('x').filter(Boolean).map(Number);
  return { width, height };
};

/** As many steps as the price counts with. */
const schnellSteps = 4;
const devSteps = 25;

export const toImageRequest = (model: Model, input: ReadyInput): Record<string, unknown> =>
  model.api === 'json'
    ? { prompt: input.prompt ?? '', steps: schnellSteps }
    : withoutNulls({
        prompt: input.prompt ?? '',
        negative_prompt: input.negativePrompt,
        ...sidesOf(input.size),
        seed: input.seed,
      });

const toFile = (media: Media): Blob => new Blob([new Uint8Array(media.bytes)], { type: media.contentType });

/** The flux-2 models take forms only, also where there is nothing but a prompt; klein's steps are fixed. */
export const toImageForm = (model: Model, input: ReadyInput): FormData => {
  const form = new FormData();
  const fields = withoutNulls({
    prompt: input.prompt ?? '',
    steps: model.providerModel.endsWith('/flux-2-dev') ? devSteps : null,
    ...sidesOf(input.size),
    seed: input.seed,
  });
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  input.referenceImages.forEach((media, index) => form.append(`input_image_${index}`, toFile(media)));
  return form;
};

/** What it is stands nowhere in the answer. */
const beginnings: readonly (readonly [contentType: string, start: RegExp])[] = [
  ['image/png', /^\x89PNG\r\n\x1a\n/],
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/webp', /^RIFF....WEBP/s],
];

const toImage = (bytes: Uint8Array): Outcome => {
  const start = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  const contentType = beginnings.find(([, pattern]) => pattern.test(start))?.[0];
  if (contentType === undefined) throw badResponse('not an image');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'bytes', bytes, contentType }],
    usage: { ...noUsage, images: 1 },
    warnings: [],
  };
};

/** @see https://developers.cloudflare.com/workers-ai/models/flux-1-schnell/ (2026-11-21) */
const imageSchema = z.object({ image: z.string().min(1) });

export const toImageOutcome = (body: unknown): Outcome => {
  const parsed = imageSchema.safeParse(readResult(body));
  if (!parsed.success) throw badResponse('no image');
  return toImage(Buffer.from(parsed.data.image, 'base64'));
};

/** The image itself is the body; an envelope in its place tells that there is none. */
export const toBinaryOutcome = (bytes: Uint8Array, contentType: string | null): Outcome => {
  if (contentType?.startsWith('application/json') === true) readResult(readJson(Buffer.from(bytes).toString('utf8')));
  return toImage(bytes);
};

type Verdict = Pick<Refusal, 'code' | 'scope'> & { accepted?: 'no' };

const unauthorized: Verdict = { code: 'provider_auth', scope: 'credential' };
const forbiddenModel: Verdict = { code: 'provider_auth', scope: 'model' };
const noSuchModel: Verdict = { code: 'provider_model_not_found', scope: 'model' };

/**
 * In the order in which they count: a wrong account id comes as 7003 and 7000 together.
 * @see https://developers.cloudflare.com/workers-ai/platform/errors/ (2026-11-21)
 */
const verdicts: readonly (readonly [code: string, verdict: Verdict])[] = [
  ['3036', { code: 'provider_insufficient_funds', scope: 'credential' }],
  ['3040', { code: 'provider_overloaded', scope: 'model', accepted: 'no' }],
  ['5007', noSuchModel],
  // Retired: "This model was deprecated on …".
  ['5028', noSuchModel],
  ['3042', noSuchModel],
  ['5016', forbiddenModel],
  ['5018', forbiddenModel],
  ['3041', forbiddenModel],
  ['3023', unauthorized],
  ['10000', unauthorized],
  ['9106', unauthorized],
  ['9109', unauthorized],
  ['6003', unauthorized],
  ['7003', unauthorized],
  ['7000', { code: 'caller_invalid_request', scope: 'request' }],
];

const judge = (problems: Problem[]): Verdict | undefined => {
  if (problems.some(isContentRejected)) return { code: 'provider_content_rejected', scope: 'request' };
  return verdicts.find(([code]) => problems.some((problem) => problem.code === code))?.[1];
};

const dayMs = 86_400_000;

/** The day's allocation comes back at 00:00 UTC, by the provider's clock. */
const untilMidnight = (headers: Record<string, string>, now: number): number => {
  const server = Date.parse(headers['date'] ?? '');
  return dayMs - ((Number.isNaN(server) ? now : server) % dayMs);
};

export const readRefusal = (answer: Answer, purpose: Purpose, now = Date.now()): Refusal => {
  const problems = readProblems(readJson(answer.text));
  const message = problems.map((problem) => problem.message || problem.code).join('; ');
  const refusal = refuseByStatus(answer, purpose, { message: message || null, notAccepted: [503] });
  const spent = problems.some(({ code }) => code === '3036');
  return {
    ...refusal,
    ...judge(problems),
    ...(spent && { retryAfterMs: refusal.retryAfterMs ?? untilMidnight(answer.headers, now) }),
  };
};

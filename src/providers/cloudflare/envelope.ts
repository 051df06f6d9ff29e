import { z } from 'zod';
import { ProviderError } from '../provider';
import { badResponse } from '../refusal';

const errorsSchema = z
  .array(z.object({ code: z.union([z.number(), z.string()]).nullish(), message: z.string().nullish() }))
  .nullish();

/** @see https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls (2026-11-21) */
const envelopeSchema = z.object({ success: z.boolean(), result: z.unknown(), errors: errorsSchema });

const refusalSchema = z.object({ errors: errorsSchema });

/** One of Cloudflare's errors; several may come at once. */
export type Problem = { code: string; message: string };

const toProblems = (errors: z.infer<typeof errorsSchema>): Problem[] =>
  (errors ?? []).map(({ code, message }) => ({ code: String(code ?? ''), message: message ?? '' }));

export const readProblems = (body: unknown): Problem[] => toProblems(refusalSchema.safeParse(body).data?.errors);

/** 3030 is any complaint of the model's own server; only its words tell that it is about the content. */
export const isContentRejected = ({ code, message }: Problem): boolean =>
  code === '3030' && /nsfw|flagged|safety|moderat|content policy/i.test(message);

/** What stands in the envelope. A refused prompt may come as 200 as well; all else without success proves nothing. */
export const readResult = (body: unknown): unknown => {
  const parsed = envelopeSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not an answer of the API');
  const { success, result, errors } = parsed.data;
  if (success && result !== null && result !== undefined) return result;
  const problems = toProblems(errors);
  if (problems.some(isContentRejected))
    throw new ProviderError('provider_content_rejected', 'the safety checker refused the prompt or the image', {
      accepted: 'no',
      scope: 'request',
    });
  throw badResponse(`no result (${problems.map(({ code }) => code).join(', ') || 'no reason given'})`);
};

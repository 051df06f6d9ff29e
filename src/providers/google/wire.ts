import { z } from 'zod';
import type { ReadyInput } from '../provider';
import { badResponse } from '../refusal';

export { readAnnouncement } from './callbacks';
export { collectContent, toContentOutcome, toContentRequest } from './gemini';
export { toCancellation, toInteraction, toInteractionAccepted, toInteractionOutcome } from './interactions';
export { defaultBaseUrl, readRefusal } from './problems';
export { toVeoAccepted, toVeoOutcome, toVeoRequest } from './veo';

/** What a refusal may quote, and nobody should read in a log. */
export const hiddenOf = ({ prompt, negativePrompt, system, messages }: ReadyInput): (string | null)[] => [
  prompt,
  negativePrompt,
  system,
  ...messages.map(({ content }) => content),
];

/** As the SDK hands it over: @google/genai 2.32.0, Pager (2026-11-21) */
const listSchema = z.object({ page: z.array(z.object({ name: z.string().min(1) })).min(1) });

export const checkModels = (body: unknown): void => {
  if (!listSchema.safeParse(body).success) throw badResponse('no list of models');
};

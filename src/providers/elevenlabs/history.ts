import type { ElevenLabs } from '@elevenlabs/elevenlabs-js';
import { z } from 'zod';
import type { Model } from '../../domain/model';
import type { Operation, Sent } from '../provider';
import { badResponse } from '../refusal';
import { formatOf, voiceOf } from './wire';

/** Shorter texts are said again and again: one of them proves nothing. */
const shortestText = 20;

/** Their clock may be behind ours. */
const behindSeconds = 5;

/** Whether the history could show it: "Music and SFX generations are not included". */
export const isListed = ({ api }: Model, { input }: Sent): boolean =>
  api !== 'sound_generation' && (input.prompt ?? '').length >= shortestText;

/**
 * Around the time of the send, in the order it was made. The text is compared here: it may be longer than an address,
 * and what `search` takes for a match is not told.
 */
export const toHistoryRequest = (model: Model, sent: Sent): ElevenLabs.HistoryListRequest => {
  const sentSeconds = Math.floor(sent.at.getTime() / 1_000);
  return {
    pageSize: 1_000,
    voiceId: voiceOf(sent.input),
    modelId: model.providerModel,
    dateAfterUnix: sentSeconds - behindSeconds,
    dateBeforeUnix: sentSeconds + model.maximumSeconds,
    sortDirection: 'asc',
    source: 'TTS',
  };
};

/** @see https://elevenlabs.io/docs/api-reference/history/list and SDK 2.73.0 (2026-11-21), as the SDK hands it over */
const historySchema = z.object({
  history: z.array(
    z.object({
      historyItemId: z.string().min(1),
      voiceId: z.string().nullish(),
      modelId: z.string().nullish(),
      text: z.string().nullish(),
      dateUnix: z.number(),
      outputFormat: z.string().nullish(),
      characterCountChangeFrom: z.number().nullish(),
      characterCountChangeTo: z.number().nullish(),
    }),
  ),
  hasMore: z.boolean().nullish(),
});

type Item = z.infer<typeof historySchema>['history'][number];

const squeeze = (text: string | null | undefined): string => (text ?? '').replace(/\s+/g, ' ').trim();

/** Filters may be passed over silently: what an item tells of itself counts. */
const isAskedFor = (item: Item, model: Model, sent: Sent): boolean => {
  const { dateAfterUnix = 0, dateBeforeUnix = 0, voiceId, modelId } = toHistoryRequest(model, sent);
  const pairs = [
    [item.voiceId, voiceId],
    [item.modelId, modelId],
    [item.outputFormat, formatOf(sent.input)],
  ];
  return (
    squeeze(item.text) === squeeze(sent.input.prompt) &&
    pairs.every(([told, asked]) => (told ?? asked) === asked) &&
    item.dateUnix >= dateAfterUnix &&
    item.dateUnix < dateBeforeUnix
  );
};

const countCredits = ({ characterCountChangeFrom: from, characterCountChangeTo: to }: Item): number | null =>
  typeof from === 'number' && typeof to === 'number' && to >= from ? to - from : null;

/** With the item goes what a look cannot learn from its audio. */
const toOperation = (item: Item, { input }: Sent): Operation => ({
  id: item.historyItemId,
  format: formatOf(input),
  characters: (input.prompt ?? '').length,
  credits: countCredits(item),
});

/**
 * Items carry no mark of ours: of two that fit one is somebody else's, and nobody knows which. `null`: none fits.
 */
export const toFoundSpeech = (body: unknown, model: Model, sent: Sent): Operation | 'unknown' | null => {
  const parsed = historySchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a history');
  const [item, ...others] = parsed.data.history.filter((candidate) => isAskedFor(candidate, model, sent));
  if (others.length > 0 || parsed.data.hasMore === true) return 'unknown';
  return item === undefined ? null : toOperation(item, sent);
};

import { z } from 'zod';
import type { Operation } from '../provider';
import { badResponse } from '../refusal';

/** Our clock may be ahead of fal's, and which of a request's times `start` means is not told. */
const aheadMs = 120_000;
const pageSize = 100;

export const toListUrl = (endpoint: string, since: Date, cursor: string | null): string => {
  const query = new URLSearchParams({
    endpoint_id: endpoint,
    start: new Date(since.getTime() - aheadMs).toISOString(),
    expand: 'payloads',
    limit: String(pageSize),
    ...(cursor !== null && { cursor }),
  });
  return `https://api.fal.ai/v1/models/requests/by-endpoint?${query.toString()}`;
};

/** @see https://fal.ai/docs/platform-apis/v1/models/requests/by-endpoint (2026-11-21) */
const pageSchema = z.object({
  items: z.array(
    z.object({
      request_id: z.string().min(1),
      json_input: z.record(z.string(), z.unknown()).nullish().catch(null),
    }),
  ),
  next_cursor: z.string().min(1).nullish(),
  has_more: z.boolean().nullish(),
});

export type Listed = { seed: number; operation: Operation };
export type Page = { listed: Listed[]; nextCursor: string | null };

/** `8s`, as it was sent. */
const toSeconds = (duration: unknown): number | null => {
  const seconds = typeof duration === 'string' ? Number.parseFloat(duration) : Number.NaN;
  return Number.isFinite(seconds) ? seconds : null;
};

/** Requests without a seed can be nobody's of ours. */
export const readPage = (body: unknown, endpoint: string): Page => {
  const parsed = pageSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not a list of requests');
  const { items, next_cursor: next, has_more: hasMore } = parsed.data;
  const listed = items.flatMap(({ request_id: id, json_input: given }): Listed[] => {
    const seed = given?.['seed'];
    const operation = { id, endpoint, seconds: toSeconds(given?.['duration']) };
    return typeof seed === 'number' ? [{ seed, operation }] : [];
  });
  return { listed, nextCursor: hasMore === false ? null : (next ?? null) };
};

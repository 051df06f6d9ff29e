import type { Answer } from './answer';

/** Server-sent events, one by one as the real ones come. */
export const eventStream = (events: string[]): Answer => ({
  status: 200,
  headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
  parts: events,
  paceMs: 5,
});

export const dataEvent = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

export const doneEvent = 'data: [DONE]\n\n';

/** A word or so in each piece. */
export const splitWords = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? [];

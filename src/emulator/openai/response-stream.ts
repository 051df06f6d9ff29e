import type { Answer } from '../answer';
import { eventStream, splitWords } from '../event-stream';
import type { Reply } from './reply';

type Event = { type: string } & Record<string, unknown>;

const place = { output_index: 0, content_index: 0 };

const textEvents = (itemId: string, text: string): Event[] => [
  ...splitWords(text).map((delta) => ({
    type: 'response.output_text.delta',
    item_id: itemId,
    ...place,
    delta,
    logprobs: [],
  })),
  { type: 'response.output_text.done', item_id: itemId, ...place, text, logprobs: [] },
];

const refusalEvents = (itemId: string, refusal: string): Event[] => [
  { type: 'response.refusal.delta', item_id: itemId, ...place, delta: refusal },
  { type: 'response.refusal.done', item_id: itemId, ...place, refusal },
];

type Item = { id: string; content: Record<string, unknown>[] } & Record<string, unknown>;

const itemEvents = (item: Item, { content, refusal }: Reply): Event[] => {
  const part = item.content[0] ?? {};
  const begun = refusal === null ? { ...part, text: '' } : { ...part, refusal: '' };
  return [
    { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
    { type: 'response.content_part.added', item_id: item.id, ...place, part: begun },
    ...(refusal === null ? textEvents(item.id, content ?? '') : refusalEvents(item.id, refusal)),
    { type: 'response.content_part.done', item_id: item.id, ...place, part },
    { type: 'response.output_item.done', output_index: 0, item },
  ];
};

/** Every event is named and numbered; the last one carries the whole response. */
export const streamResponse = (response: Record<string, unknown>, reply: Reply): Answer => {
  const begun = { ...response, status: 'in_progress', output: [], usage: null, completed_at: null, error: null };
  const items = response['output'] as Item[];
  const events: Event[] = [
    { type: 'response.created', response: begun },
    { type: 'response.in_progress', response: begun },
    ...items.flatMap((item) => itemEvents(item, reply)),
    { type: `response.${String(response['status'])}`, response },
  ];
  return eventStream(
    events.map(
      (event, index) => `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number: index })}\n\n`,
    ),
  );
};

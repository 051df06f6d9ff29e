import { jsonAnswer, type Answer } from '../answer';
import type { Operation } from '../operations';
import type { Call } from '../provider';

/** A page of what was found, in the order it comes in; `after` is the last id of the page before. */
export const pageOf = (
  { query }: Call,
  found: Operation[],
  show: (operation: Operation) => Record<string, unknown>,
): Answer => {
  const limit = Math.min(100, Math.max(1, Number(query.get('limit') ?? 20)));
  const after = found.findIndex(({ id }) => id === query.get('after'));
  const data = found.slice(after + 1, after + 1 + limit).map(show);
  return jsonAnswer(200, {
    object: 'list',
    data,
    first_id: data[0]?.['id'] ?? null,
    last_id: data.at(-1)?.['id'] ?? null,
    has_more: found.length > after + 1 + limit,
  });
};

import { invalid, type Problem } from './problems';

type Page<Item> = {
  data: Item[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
};

type Span = { start: number; end: number; hasMore: boolean };

const spanAfter = (index: number, limit: number, count: number): Span => {
  const end = Math.min(count, index + 1 + limit);
  return { start: index + 1, end, hasMore: end < count };
};

const spanBefore = (index: number, limit: number): Span => {
  const start = Math.max(0, index - limit);
  return { start, end: index, hasMore: start > 0 };
};

const readLimit = (query: URLSearchParams): number | undefined => {
  const limit = Number(query.get('limit') ?? 20);
  return Number.isInteger(limit) && limit >= 1 && limit <= 1000 ? limit : undefined;
};

/** Items in the order of the list; `before_id` reads it backwards. */
export const pageOf = <Item extends { id: string }>(items: Item[], query: URLSearchParams): Page<Item> | Problem => {
  const limit = readLimit(query);
  if (limit === undefined) return invalid('limit: must be between 1 and 1000');
  const before = query.get('before_id');
  const cursor = before ?? query.get('after_id');
  const index = items.findIndex(({ id }) => id === cursor);
  if (cursor !== null && index < 0) return invalid(`${cursor}: no such item`);
  const { start, end, hasMore } = before === null ? spanAfter(index, limit, items.length) : spanBefore(index, limit);
  const data = items.slice(start, end);
  return { data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: hasMore };
};

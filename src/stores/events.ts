import type { Transaction } from './database';
import { Prisma } from './generated/client';

/** `type` as in the contract: `generation.status|phase|progress|attempt|text`. */
export type NewEvent = { type: string; data: Record<string, unknown> };

/**
 * Numbered within the generation and written under its row lock: a sequence over all generations would commit out of
 * order, and a reader resuming after an id would miss events.
 */
export const appendEvents = async (
  transaction: Transaction,
  generationId: string,
  { events, lastSequence }: { events: readonly NewEvent[]; lastSequence: number },
): Promise<void> => {
  if (events.length === 0) return;
  const first = lastSequence - events.length + 1;
  const rows = events.map(
    (event, index) =>
      Prisma.sql`(${generationId}, ${first + index}, ${event.type}, ${JSON.stringify(event.data)}::jsonb)`,
  );
  await transaction.$executeRaw`
    INSERT INTO events (generation_id, sequence, type, data) VALUES ${Prisma.join(rows)}`;
};

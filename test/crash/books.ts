import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool, type QueryResultRow } from 'pg';
import type { Booking } from './emulator';

export type GenerationEntry = {
  id: string;
  status: string;
  phase: string | null;
  medium: string;
  prompt: string;
  idempotencyKey: string | null;
  rerunOf: string | null;
  errorCode: string | null;
  cancelRequestedAt: Date | null;
  deadlineAt: Date;
  createdAt: Date;
  completedAt: Date | null;
};

export type AttemptEntry = {
  generationId: string;
  number: number;
  provider: string;
  model: string;
  status: string;
  operation: string | null;
  costUsd: string | null;
  possibleUsd: string | null;
  sentAt: Date | null;
  submittedAt: Date | null;
  supersededBy: number | null;
};

export type ArtifactEntry = { generationId: string; index: number; bytes: number; sha256: string };

export type EventEntry = { generationId: string; atMs: number };

/** What our database says and what the provider's ledger says, read when nothing moves any more. */
export type Books = {
  generations: GenerationEntry[];
  attempts: AttemptEntry[];
  artifacts: ArtifactEntry[];
  events: EventEntry[];
  ledger: Booking[];
};

export type Database = {
  /** Repeated until the database answers: it is killed too. */
  query<Row extends QueryResultRow>(sql: string): Promise<Row[]>;
  close(): Promise<void>;
};

const mistakes = /^42/;

export const openDatabase = (databaseUrl: string): Database => {
  const pool = new Pool({ connectionString: databaseUrl, max: 2, connectionTimeoutMillis: 5_000 });
  pool.on('error', () => undefined);
  return {
    query: async <Row extends QueryResultRow>(sql: string) => {
      for (;;) {
        try {
          return (await pool.query<Row>(sql)).rows;
        } catch (error) {
          if (mistakes.test((error as { code?: string }).code ?? '')) throw error;
          await pause(200);
        }
      }
    },
    close: () => pool.end(),
  };
};

const generationsSql = `
  SELECT id, status, phase, medium, request->'input'->>'prompt' AS prompt, idempotency_key AS "idempotencyKey",
    rerun_of AS "rerunOf", error_code AS "errorCode", cancel_requested_at AS "cancelRequestedAt",
    deadline_at AS "deadlineAt", created_at AS "createdAt", completed_at AS "completedAt"
  FROM generations ORDER BY id`;

const attemptsSql = `
  SELECT generation_id AS "generationId", number, provider, model, status, operation_id AS operation,
    trim_scale(cost_usd)::text AS "costUsd", trim_scale(possible_cost_usd)::text AS "possibleUsd",
    sent_at AS "sentAt", submitted_at AS "submittedAt", superseded_by AS "supersededBy"
  FROM attempts ORDER BY generation_id, number`;

const artifactsSql = `
  SELECT generation_id AS "generationId", index, bytes::int, sha256 FROM artifacts ORDER BY generation_id, index`;

const eventsSql = `
  SELECT generation_id AS "generationId", (extract(epoch FROM at) * 1000)::float8 AS "atMs" FROM events ORDER BY at`;

export const readBooks = async (database: Database, ledger: () => Promise<Booking[]>): Promise<Books> => ({
  generations: await database.query<GenerationEntry>(generationsSql),
  attempts: await database.query<AttemptEntry>(attemptsSql),
  artifacts: await database.query<ArtifactEntry>(artifactsSql),
  events: await database.query<EventEntry>(eventsSql),
  ledger: await ledger(),
});

/** As the ledger keeps prompts. */
export const hashPrompt = (prompt: string): string => createHash('sha256').update(prompt).digest('hex');

export type Unfinished = { generations: string[]; attempts: string[] };

/** Nothing left means that all is terminal and no attempt is still out. */
export const readUnfinished = async (database: Database): Promise<Unfinished> => {
  const generations = await database.query<{ id: string }>(
    `SELECT id FROM generations WHERE status IN ('queued', 'running') ORDER BY id`,
  );
  const attempts = await database.query<{ id: string }>(
    `SELECT generation_id || '/' || number AS id FROM attempts
     WHERE status IN ('submitting', 'submitted') AND superseded_by IS NULL ORDER BY 1`,
  );
  return { generations: generations.map(({ id }) => id), attempts: attempts.map(({ id }) => id) };
};

import type { Database } from '../crash/books';
import type { Booking, EmulatorControl, Meter } from '../crash/emulator';
import type { Line } from './lines';

/** An attempt that was sent. */
export type SendEntry = {
  generationId: string;
  number: number;
  provider: string;
  credential: string;
  model: string;
  tenant: string;
  priority: 'high' | 'medium' | 'low';
  prompt: string;
  /** What became of the attempt. */
  status: string;
  sinceMs: number;
  sentMs: number;
};

const sendsSql = `
  SELECT s.generation_id AS "generationId", s.number, s.provider, s.credential, s.model, t.name AS tenant,
    g.request->>'priority' AS priority, g.request->'input'->>'prompt' AS prompt, a.status,
    (extract(epoch FROM g.created_at) * 1000)::float8 AS "sinceMs", (extract(epoch FROM s.at) * 1000)::float8 AS "sentMs"
  FROM sends s JOIN attempts a USING (generation_id, number)
    JOIN generations g ON g.id = s.generation_id JOIN tenants t ON t.id = g.tenant_id
  ORDER BY s.at, s.generation_id`;

/** A time in which nothing was to be sent with a key, by our own database. */
export type PauseEntry = { provider: string; credential: string; atMs: number; untilMs: number };

const pausesSql = `
  SELECT provider, credential, (extract(epoch FROM at) * 1000)::float8 AS "atMs",
    (extract(epoch FROM (data->>'until')::timestamptz) * 1000)::float8 AS "untilMs"
  FROM provider_events WHERE type = 'key.paused' AND data->>'until' IS NOT NULL ORDER BY id`;

export type GenerationState = { id: string; model: string; status: string; phase: string | null };

const generationsSql = `
  SELECT id, request->>'model' AS model, status, phase FROM generations ORDER BY id`;

/** Both sides' books. */
export type Books = {
  ledger: Booking[];
  meters: Meter[];
  sends: SendEntry[];
  pauses: PauseEntry[];
  generations: GenerationState[];
};

export const readBooks = async (database: Database, control: EmulatorControl): Promise<Books> => ({
  ledger: await control.ledger(),
  meters: await control.meters(),
  sends: await database.query<SendEntry>(sendsSql),
  pauses: await database.query<PauseEntry>(pausesSql),
  generations: await database.query<GenerationState>(generationsSql),
});

export const readSends = (database: Database): Promise<SendEntry[]> => database.query<SendEntry>(sendsSql);

/** How many generations of the line have not ended. */
export const countUnended = async (database: Database, { model }: Line): Promise<number> => {
  const rows = await database.query<{ model: string; count: number }>(`
    SELECT request->>'model' AS model, count(*)::int AS count FROM generations
    WHERE status IN ('queued', 'running') GROUP BY 1`);
  return rows.find((row) => row.model === model)?.count ?? 0;
};

/** How many attempts of the line wait for their turn. */
export const countWaiting = async (database: Database, { model }: Line): Promise<number> => {
  const rows = await database.query<{ model: string; count: number }>(
    `SELECT model, count(*)::int AS count FROM turns WHERE credential IS NULL GROUP BY 1`,
  );
  return rows.find((row) => row.model === model)?.count ?? 0;
};

/** How many of a tenant's attempts have come into line, or further. */
export const countJoined = async (database: Database, tenantId: string): Promise<number> => {
  const rows = await database.query<{ tenant: string; count: number }>(`
    SELECT g.tenant_id AS tenant, count(*)::int AS count FROM generations g
    WHERE EXISTS (SELECT FROM turns t WHERE t.generation_id = g.id) OR EXISTS (SELECT FROM sends s WHERE s.generation_id = g.id)
    GROUP BY 1`);
  return rows.find(({ tenant }) => tenant === tenantId)?.count ?? 0;
};

import { ulid } from 'ulid';
import type { BreakerPlace } from '../../src/stores/breakers';
import type { Database } from '../../src/stores/database';

let models = 0;

/** A model that nobody has heard of before. */
export const newPlace = (): BreakerPlace => {
  models += 1;
  return { provider: 'acme', model: `acme/clip-${models}`, credential: 'main' };
};

export type Sent = {
  agoMs: number;
  latencyMs: number | null;
  outcome: string | null;
  isFault: boolean;
  generationId: string;
  /** What it is so long ago from; the database's clock. */
  from: Date;
};

export const insertSends = async (
  database: Database,
  { provider, model, credential }: BreakerPlace,
  sends: readonly Partial<Sent>[],
): Promise<void> => {
  for (const { agoMs = 0, latencyMs = 0, outcome = 'accepted', isFault = false, generationId, from } of sends)
    await database.$executeRaw`
      INSERT INTO sends (generation_id, number, epoch, provider, credential, model, at, outcome, is_fault, latency_ms)
      VALUES (${generationId ?? `gen_${ulid()}`}, 1, 1, ${provider}, ${credential}, ${model},
        coalesce(${from ?? null}::timestamptz, clock_timestamp()) - make_interval(secs => ${agoMs / 1000}::float8),
        ${outcome}, ${isFault}, ${latencyMs})`;
};

export const fault: Partial<Sent> = { outcome: 'provider_server_error', isFault: true };

export const databaseNow = async (database: Database): Promise<Date> => {
  const rows = await database.$queryRaw<{ now: Date }[]>`SELECT clock_timestamp() AS now`;
  return (rows[0] as { now: Date }).now;
};

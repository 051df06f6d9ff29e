import { ulid } from 'ulid';
import type { AttemptStatus, GenerationRequest } from '../../src/domain/generation';
import { noUsage } from '../../src/domain/generation';
import type { AttemptPolicy } from '../../src/domain/next-attempt';
import { planAttempt } from '../../src/stores/attempt-plan';
import { takeAttempt, type Sender } from '../../src/stores/attempt-take';
import { readAttempt, type AttemptKey, type Result } from '../../src/stores/attempts';
import { connectDatabase, inTransaction, type Database } from '../../src/stores/database';
import { createGeneration, publishChange } from '../../src/stores/generations';
import { createTenant } from '../../src/stores/tenants';
import { lockQueue, readStanding } from '../../src/stores/standing';
import { joinLine, beginRound } from '../../src/stores/turns';
import { createTestDatabase } from '../support/database';
import { makeCandidate, makeRequest } from '../support/generation-data';

export const tenantId = 'ten_test';

export type Ledger = { database: Database; url: string; close: () => Promise<void> };

export const openLedger = async (): Promise<Ledger> => {
  const test = await createTestDatabase();
  const database = connectDatabase({ url: test.url, poolSize: 25 });
  await createTenant(database, { id: tenantId, name: 'test', weight: 1 });
  const close = async (): Promise<void> => {
    await database.$disconnect();
    await test.drop();
  };
  return { database, url: test.url, close };
};

const candidates = ['acme/clip', 'brick/reel'].map((model) => makeCandidate(model, { estimatedCostUsd: '0.04' }));

/** An accepted generation, not begun. */
export const accept = async (
  database: Database,
  overrides: Partial<GenerationRequest> = {},
  tenant: string = tenantId,
): Promise<string> => {
  const id = `gen_${ulid()}`;
  const request = makeRequest(overrides);
  await createGeneration(database, { id, tenantId: tenant, request, requestHash: 'hash', idempotencyKey: null });
  return id;
};

/** A running generation with two candidates. */
export const begin = async (database: Database): Promise<string> => {
  const id = await accept(database);
  const decision = { strategy: 'balanced', variant: null, candidates } as const;
  await publishChange(database, id, () => ({ status: 'running', decision: { ...decision, candidates } }));
  return id;
};

export const plan = (database: Database, generationId: string, policy: Partial<AttemptPolicy> = {}) =>
  planAttempt(database, generationId, {
    policyOf: () => ({ onAmbiguous: 'auto', resubmitUpToUsd: '0.05', fallback: true, ...policy }),
    holdMs: 86_400_000,
    priceVersionOf: (model) => `${model}@2026-11-21`,
  });

/** A running generation whose attempt 1 is planned. */
export const beginAttempt = async (database: Database): Promise<AttemptKey> => {
  const generationId = await begin(database);
  await plan(database, generationId);
  return { generationId, number: 1 };
};

export type Planned = { tenant?: string; model?: string; estimatedUsd?: string | null } & Partial<GenerationRequest>;

/** A planned attempt of a generation of its own, with this model only. */
export const beginWith = async (database: Database, asked: Planned = {}): Promise<AttemptKey> => {
  const { tenant = tenantId, model = 'acme/clip', estimatedUsd = '0.04', ...overrides } = asked;
  const generationId = await accept(database, overrides, tenant);
  const chosen = [makeCandidate(model, { estimatedCostUsd: estimatedUsd })];
  const decision = { strategy: 'balanced', variant: null, candidates: chosen } as const;
  await publishChange(database, generationId, () => ({
    status: 'running',
    decision: { ...decision, candidates: chosen },
  }));
  await plan(database, generationId);
  return { generationId, number: 1 };
};

/** Many planned attempts at once, written straight into the tables. */
export const beginCrowd = async (
  database: Database,
  count: number,
  { tenant = tenantId, model = 'acme/clip' }: { tenant?: string; model?: string } = {},
): Promise<AttemptKey[]> => {
  const ids = Array.from({ length: count }, () => `gen_${ulid()}`);
  const request = makeRequest();
  await database.$executeRaw`
    INSERT INTO generations (id, tenant_id, medium, status, request, request_hash, metadata, tags, warnings, deadline_at, started_at)
    SELECT id, ${tenant}, ${request.medium}, 'running', ${JSON.stringify(request)}::jsonb, 'hash', '{}', '{}', '{}',
      now() + interval '1 day', now()
    FROM unnest(${ids}::text[]) AS id`;
  await database.$executeRaw`
    INSERT INTO attempts (generation_id, number, provider, model, price_version, estimated_usd)
    SELECT id, 1, ${model.split('/')[0]}, ${model}, 'none', 0.04 FROM unnest(${ids}::text[]) AS id`;
  return ids.map((generationId) => ({ generationId, number: 1 }));
};

/** In line, as submit gets there. */
export type Joining = { tenant?: string; priority?: number; tokens?: number; returns?: boolean };

export const joinLineOf = async (
  database: Database,
  key: AttemptKey,
  { tenant = tenantId, priority = 1, tokens = 0, returns = false }: Joining = {},
) => {
  const { provider, model } = await readAttempt(database, key);
  return joinLine(database, { ...key, provider, model, tenantId: tenant, priority, tokens, returns });
};

/** As the next round does, before it gives turns. */
export const placeAll = (database: Database, provider = 'acme') =>
  inTransaction(database, async (transaction) => {
    const { virtualTimes } = await lockQueue(transaction, provider);
    await beginRound(transaction, { provider, virtualTimes });
  });

/** Who is next, as a round reads it. */
export const headsIn = async (database: Database, models: readonly string[], most = 10) =>
  (await readStanding(database, { provider: 'acme', rules: [], heads: { models, most } }, () => 0)).waiting;

export const turnOf = ({ turn }: Database, { generationId, number }: AttemptKey) =>
  turn.findUnique({ where: { generationId_number: { generationId, number } } });

let senders = 0;

/** Another one each time. */
export const makeSender = (overrides: Partial<Sender> = {}): Sender => {
  senders += 1;
  return {
    tokens: 0,
    sender: `sender-${senders}`,
    credential: 'main',
    credentialPrint: 'print',
    gateway: null,
    sendTimeoutMs: 60_000,
    announced: false,
    ...overrides,
  };
};

/** As if it were its turn, with this key. */
export const giveTurn = async (database: Database, { generationId, number }: AttemptKey, credential = 'main') => {
  const { provider, model } = await readAttempt(database, { generationId, number });
  await database.$executeRaw`
    INSERT INTO turns (generation_id, number, provider, model, tenant_id, priority, tag, credential, lease_until)
    VALUES (${generationId}, ${number}, ${provider}, ${model}, ${tenantId}, 1, 0, ${credential}, now() + interval '1 minute')
    ON CONFLICT (generation_id, number) DO UPDATE
      SET credential = excluded.credential, lease_until = excluded.lease_until`;
};

/** Takes it in its turn. */
export const takeInTurn = async (database: Database, key: AttemptKey, sender: Sender) => {
  await giveTurn(database, key, sender.credential ?? 'main');
  return takeAttempt(database, key, sender);
};

export const take = (database: Database, key: AttemptKey) => takeInTurn(database, key, makeSender());

/** Attempt 1 as it stands after its worker took it and died. */
export const beginTaken = async (database: Database): Promise<AttemptKey> => {
  const key = await beginAttempt(database);
  await take(database, key);
  return key;
};

export const next = (key: AttemptKey, by = 1): AttemptKey => ({ ...key, number: key.number + by });

let operations = 0;
/** What a provider answers that took the work; another id each time. */
export const acceptance = () => {
  operations += 1;
  return { operation: { id: `operation-${operations}` }, providerRequestId: 'request' };
};

export const result = (overrides: Partial<Result> = {}): Result => ({
  outputs: [{ kind: 'text', text: 'done' }],
  usage: noUsage,
  costUsd: '0.03',
  providerRequestId: 'request',
  warnings: [],
  ...overrides,
});

export const setStatus = (database: Database, key: AttemptKey, status: AttemptStatus, more: object = {}) =>
  database.attempt.updateMany({ where: key, data: { status, ...more } });

/** As if the attempt had been sent this much earlier. */
export const age = (database: Database, { generationId, number }: AttemptKey, ms: number) =>
  database.$executeRaw`UPDATE attempts SET sent_at = sent_at - make_interval(secs => ${ms / 1000}::float8)
    WHERE generation_id = ${generationId} AND number = ${number}`;

export const statusesOf = async (database: Database, generationId: string): Promise<string[]> => {
  const rows = await database.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } });
  return rows.map(({ status }) => status);
};

export const statusOf = async (database: Database, key: AttemptKey): Promise<string> =>
  (await readAttempt(database, key)).status;

export const eventsOf = (database: Database, generationId: string) =>
  database.event.findMany({ where: { generationId }, orderBy: { sequence: 'asc' } });

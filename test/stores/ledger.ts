import { ulid } from 'ulid';
import type { AttemptStatus, GenerationRequest } from '../../src/domain/generation';
import { noUsage } from '../../src/domain/generation';
import type { AttemptPolicy } from '../../src/domain/next-attempt';
import { planAttempt } from '../../src/stores/attempt-plan';
import { takeAttempt, type Sender } from '../../src/stores/attempt-take';
import { readAttempt, type AttemptKey, type Result } from '../../src/stores/attempts';
import { connectDatabase, type Database } from '../../src/stores/database';
import { createGeneration, publishChange } from '../../src/stores/generations';
import { createTenant } from '../../src/stores/tenants';
import { createTestDatabase } from '../support/database';
import { makeCandidate, makeRequest } from '../support/generation-data';

export const tenantId = 'ten_test';

export type Ledger = { database: Database; close: () => Promise<void> };

export const openLedger = async (): Promise<Ledger> => {
  const test = await createTestDatabase();
  const database = connectDatabase({ url: test.url, poolSize: 25 });
  await createTenant(database, { id: tenantId, name: 'test', weight: 1 });
  const close = async (): Promise<void> => {
    await database.$disconnect();
    await test.drop();
  };
  return { database, close };
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

let senders = 0;

/** Another one each time. */
export const makeSender = (overrides: Partial<Sender> = {}): Sender => {
  senders += 1;
  return {
    sender: `sender-${senders}`,
    credential: 'main',
    credentialPrint: 'print',
    gateway: null,
    sendTimeoutMs: 60_000,
    announced: false,
    ...overrides,
  };
};

export const take = (database: Database, key: AttemptKey) => takeAttempt(database, key, makeSender());

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

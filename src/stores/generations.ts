import { SureshotError, type Failure, type FailureCode } from '../domain/failure';
import type {
  Analysis,
  AttemptView,
  Decision,
  GenerationRequest,
  GenerationStatus,
  Medium,
  Phase,
  Usage,
} from '../domain/generation';
import type { Money } from '../domain/money';
import { checkRoom, claimPlace } from './admission';
import { inTransaction, type Database, type Transaction } from './database';
import { appendEvents, type NewEvent } from './events';
import { Prisma } from './generated/client';
import { queueOfGeneration } from './turns';

/** A generation with its attempts and artifacts; times are RFC 3339. */
export type GenerationRow = {
  id: string;
  medium: Medium;
  status: GenerationStatus;
  phase: Phase | null;
  progress: number | null;
  request: GenerationRequest;
  analysis: Analysis | null;
  decision: Decision | null;
  text: string | null;
  usage: Usage | null;
  error: Failure | null;
  warnings: string[];
  user: string | null;
  metadata: Record<string, string>;
  tags: string[];
  rerunOf: string | null;
  workflowRunId: string | null;
  priceVersion: string | null;
  cancelRequestedAt: string | null;
  createdAt: string;
  startedAt: string | null;
  completedAt: string | null;
  attempts: (AttemptView & { estimatedUsd: Money | null })[];
  artifacts: { index: number; contentType: string; bytes: number; sha256: string }[];
  /** While it waits for capacity: its place from 1, and in about how many seconds its turn comes, if anybody can tell. */
  queue: { position: number; expectedSeconds: number | null } | null;
};

export type NewGeneration = {
  id: string;
  tenantId: string;
  request: GenerationRequest;
  requestHash: string;
  idempotencyKey: string | null;
  /** How many of its tenant may not have ended when it comes; absent: any number. */
  queuedPerTenant?: number;
};

/** `false`: its idempotency key has one already. */
export const insertGeneration = async (
  database: Database | Transaction,
  { rerunOf = null, delayMs = 0, ...generation }: NewGeneration & { rerunOf?: string | null; delayMs?: number },
): Promise<boolean> => {
  const { id, tenantId, request, requestHash, idempotencyKey } = generation;
  const inserted = await database.$executeRaw`
    INSERT INTO generations
      (id, tenant_id, medium, request, request_hash, idempotency_key, "user", metadata, tags, warnings, deadline_at, rerun_of)
    VALUES (${id}, ${tenantId}, ${request.medium}, ${JSON.stringify(request)}::jsonb, ${requestHash}, ${idempotencyKey},
      ${request.user}, ${JSON.stringify(request.metadata)}::jsonb, ${request.tags}, '{}',
      now() + make_interval(secs => ${request.deadlineSeconds + delayMs / 1000}::float8), ${rerunOf})
    ON CONFLICT (tenant_id, idempotency_key) DO NOTHING`;
  return inserted === 1;
};

/** Throws `policy_rate_limited` where the tenant has too many already. */
const insertIfRoom = async (database: Database, generation: NewGeneration): Promise<boolean> => {
  const { tenantId, queuedPerTenant: most } = generation;
  if (most === undefined || (await checkRoom(database, { tenantId, most })) === 'ample')
    return insertGeneration(database, generation);
  return inTransaction(database, async (transaction) => {
    await claimPlace(transaction, { tenantId, most });
    return insertGeneration(transaction, generation);
  });
};

/** Inserts, or returns what the same key and body made before. The commit of this row is the promise to finish it. */
export const createGeneration = async (
  database: Database,
  generation: NewGeneration,
): Promise<{ id: string; created: boolean }> => {
  const { id, tenantId, requestHash, idempotencyKey } = generation;
  const findEarlier = () =>
    idempotencyKey === null ? null : findByIdempotencyKey(database, { tenantId, idempotencyKey, requestHash });
  const inserted = await insertIfRoom(database, generation).catch(async (error: unknown) => {
    // the last place may have gone to this very key
    if (!(error instanceof SureshotError) || (await findEarlier()) === null) throw error;
    return false;
  });
  if (inserted || idempotencyKey === null) return { id, created: true };
  const earlier = await findEarlier();
  if (earlier === null) throw new Error('the generation of this idempotency key has gone');
  return { id: earlier, created: false };
};

/** The id that this key made before; `null` when it is new. Throws when it came with another body. */
export const findByIdempotencyKey = async (
  database: Database | Transaction,
  { tenantId, idempotencyKey, requestHash }: { tenantId: string; idempotencyKey: string; requestHash: string },
): Promise<string | null> => {
  const earlier = await database.generation.findUnique({
    where: { tenantId_idempotencyKey: { tenantId, idempotencyKey } },
    select: { id: true, requestHash: true },
  });
  if (earlier && earlier.requestHash !== requestHash)
    throw new SureshotError('caller_idempotency_key_reused', 'this Idempotency-Key came with another body before');
  return earlier?.id ?? null;
};

const time = (column: string) => Prisma.raw(`to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);

// money as text without trailing zeros: never through a float
const money = (column: string) => Prisma.raw(`trim_scale(${column})::text`);

const attemptsOfGeneration = Prisma.sql`(
  SELECT coalesce(json_agg(json_build_object('number', a.number, 'provider', a.provider, 'model', a.model,
    'credential', a.credential, 'operation', a.operation_id, 'status', a.status, 'costUsd', ${money('a.cost_usd')},
    'possibleCostUsd', ${money('a.possible_cost_usd')}, 'providerRequestId', a.provider_request_id, 'gateway', a.gateway,
    'error', CASE WHEN a.error_code IS NULL THEN NULL
      ELSE json_build_object('code', a.error_code, 'message', a.error_message) END,
    'estimatedUsd', ${money('a.estimated_usd')}, 'startedAt', ${time('a.started_at')},
    'submittedAt', ${time('a.submitted_at')}, 'endedAt', ${time('a.ended_at')}) ORDER BY a.number), '[]')
  FROM attempts a WHERE a.generation_id = g.id)`;

const artifactsOfGeneration = Prisma.sql`(
  SELECT coalesce(json_agg(json_build_object('index', f.index, 'contentType', f.content_type, 'bytes', f.bytes,
    'sha256', f.sha256) ORDER BY f.index), '[]')
  FROM artifacts f WHERE f.generation_id = g.id)`;

const selectRow = Prisma.sql`
  SELECT g.id, g.medium, g.status, g.phase, g.progress, g.request, g.analysis, g.decision, g.text, g.usage, g.warnings,
    g."user", g.metadata, g.tags, g.rerun_of AS "rerunOf", g.workflow_run_id AS "workflowRunId",
    CASE WHEN g.error_code IS NULL THEN NULL
      ELSE json_build_object('code', g.error_code, 'message', g.error_message) END AS error,
    (SELECT a.price_version FROM attempts a WHERE a.generation_id = g.id ORDER BY a.number DESC LIMIT 1)
      AS "priceVersion",
    ${time('g.cancel_requested_at')} AS "cancelRequestedAt", ${time('g.created_at')} AS "createdAt",
    ${time('g.started_at')} AS "startedAt", ${time('g.completed_at')} AS "completedAt",
    ${attemptsOfGeneration} AS attempts, ${artifactsOfGeneration} AS artifacts, ${queueOfGeneration} AS queue
  FROM generations g`;

/** `null` also for another tenant's id. */
export const findGeneration = async (
  database: Database,
  tenantId: string,
  id: string,
): Promise<GenerationRow | null> => {
  const rows = await database.$queryRaw<GenerationRow[]>`
    ${selectRow} WHERE g.id = ${id} AND g.tenant_id = ${tenantId}`;
  return rows[0] ?? null;
};

export type GenerationFilter = {
  status?: string | undefined;
  medium?: string | undefined;
  provider?: string | undefined;
  tag?: string | undefined;
  /** Only those older than this id: ids sort by creation. */
  beforeId?: string | undefined;
  limit: number;
};

/** Conditions on `generations g`, of those that are given. */
export const matching = ({
  medium,
  provider,
  tag,
}: Pick<GenerationFilter, 'medium' | 'provider' | 'tag'>): Prisma.Sql[] => [
  ...(medium === undefined ? [] : [Prisma.sql`g.medium = ${medium}`]),
  ...(tag === undefined ? [] : [Prisma.sql`${tag} = ANY(g.tags)`]),
  ...(provider === undefined
    ? []
    : [Prisma.sql`EXISTS (SELECT FROM attempts a WHERE a.generation_id = g.id AND a.provider = ${provider})`]),
];

/** Newest first. */
export const listGenerations = (
  database: Database,
  tenantId: string,
  filter: GenerationFilter,
): Promise<GenerationRow[]> => {
  const conditions = [
    Prisma.sql`g.tenant_id = ${tenantId}`,
    ...(filter.status === undefined ? [] : [Prisma.sql`g.status = ${filter.status}`]),
    ...(filter.beforeId === undefined ? [] : [Prisma.sql`g.id < ${filter.beforeId}`]),
    ...matching(filter),
  ];
  return database.$queryRaw<GenerationRow[]>`
    ${selectRow} WHERE ${Prisma.join(conditions, ' AND ')} ORDER BY g.id DESC LIMIT ${filter.limit}`;
};

/** The commit is what cancels: the workflow is told afterwards, and looks here before it sends anything. */
export const requestCancel = async (
  database: Database,
  tenantId: string,
  id: string,
): Promise<'requested' | 'terminal' | 'missing'> => {
  const rows = await database.$queryRaw<{ status: string }[]>`
    UPDATE generations SET cancel_requested_at = CASE WHEN status IN ('queued', 'running')
      THEN coalesce(cancel_requested_at, now()) ELSE cancel_requested_at END
    WHERE id = ${id} AND tenant_id = ${tenantId} RETURNING status`;
  const status = rows[0]?.status;
  if (status === undefined) return 'missing';
  return status === 'queued' || status === 'running' ? 'requested' : 'terminal';
};

/** What a step of the workflow decides by, read under the generation's row lock. */
export type LockedGeneration = {
  id: string;
  tenantId: string;
  status: GenerationStatus;
  phase: Phase | null;
  progress: number | null;
  request: GenerationRequest;
  analysis: Analysis | null;
  decision: Decision | null;
  /** Why an image or video of the input cannot be used. */
  inputError: Failure | null;
  cancelRequestedAt: Date | null;
  deadlineAt: Date;
  /** Since when a lost answer waits for a person. */
  heldAt: Date | null;
  rerunOf: string | null;
  startedAt: Date | null;
  /** The database's clock: replicas' clocks differ. */
  now: Date;
};

const columns = Prisma.sql`
  id, tenant_id AS "tenantId", status, phase, progress, request, analysis, decision, input_error AS "inputError", cancel_requested_at AS "cancelRequestedAt",
  deadline_at AS "deadlineAt", held_at AS "heldAt", rerun_of AS "rerunOf", started_at AS "startedAt", clock_timestamp() AS now`;

/** First lock of every transaction that writes: generation before attempts, so that two steps cannot deadlock. */
export const lockGeneration = async (transaction: Transaction, id: string): Promise<LockedGeneration> => {
  const rows = await transaction.$queryRaw<LockedGeneration[]>`
    SELECT ${columns} FROM generations WHERE id = ${id} FOR UPDATE`;
  if (!rows[0]) throw new SureshotError('caller_not_found', `no generation ${id}`);
  return rows[0];
};

/** Without a lock, for steps that only look. */
export const readGeneration = async (database: Database, id: string): Promise<LockedGeneration> => {
  const rows = await database.$queryRaw<LockedGeneration[]>`SELECT ${columns} FROM generations WHERE id = ${id}`;
  if (!rows[0]) throw new SureshotError('caller_not_found', `no generation ${id}`);
  return rows[0];
};

export type Change = {
  status?: GenerationStatus;
  phase?: Phase | null;
  progress?: number | null;
  analysis?: Analysis;
  decision?: Decision;
  text?: string | null;
  usage?: Usage | null;
  error?: { code: FailureCode; message: string } | null;
  warnings?: string[];
  workflowRunId?: string;
  heldAt?: Date | null;
  deadlineAt?: Date;
  cancelRequested?: true;
  events?: NewEvent[];
};

const eventsOf = (generation: LockedGeneration, change: Change): NewEvent[] => {
  const { status, phase, progress } = change;
  const error = change.error ? { error: change.error } : {};
  return [
    ...(status !== undefined && status !== generation.status
      ? [{ type: 'generation.status', data: { status, ...error } }]
      : []),
    ...(phase && phase !== generation.phase ? [{ type: 'generation.phase', data: { phase } }] : []),
    ...(typeof progress === 'number' && progress !== generation.progress
      ? [{ type: 'generation.progress', data: { progress } }]
      : []),
    ...(change.events ?? []),
  ];
};

const set = (column: string, value: unknown): Prisma.Sql => Prisma.sql`${Prisma.raw(`"${column}"`)} = ${value}`;

const setJson = (column: string, value: unknown): Prisma.Sql =>
  Prisma.sql`${Prisma.raw(`"${column}"`)} = ${value === null ? null : JSON.stringify(value)}::jsonb`;

type Setter = (column: string, value: unknown) => Prisma.Sql;

/** Field, column, and how it is written; a field that is not in the change stays as it is. */
const setters: readonly (readonly [keyof Change, string, Setter])[] = [
  ['status', 'status', set],
  ['phase', 'phase', set],
  ['progress', 'progress', set],
  ['analysis', 'analysis', setJson],
  ['decision', 'decision', setJson],
  ['text', 'text', set],
  ['usage', 'usage', setJson],
  ['warnings', 'warnings', set],
  ['workflowRunId', 'workflow_run_id', set],
  ['heldAt', 'held_at', set],
  ['deadlineAt', 'deadline_at', set],
];

const assignments = (change: Change): Prisma.Sql[] => {
  const ended = change.status !== undefined && change.status !== 'queued' && change.status !== 'running';
  const published: Change = ended ? { ...change, phase: null } : change;
  return [
    ...setters.flatMap(([field, column, write]) =>
      published[field] === undefined ? [] : [write(column, published[field])],
    ),
    ...(change.status === 'running' ? [Prisma.sql`started_at = coalesce(started_at, now())`] : []),
    ...(ended ? [Prisma.sql`completed_at = now()`] : []),
    ...(change.cancelRequested ? [Prisma.sql`cancel_requested_at = coalesce(cancel_requested_at, now())`] : []),
    ...(change.error ? [set('error_code', change.error.code), set('error_message', change.error.message)] : []),
  ];
};

/**
 * The one publisher: all that the outside sees of a running generation is written here, with its numbered events, under
 * the row lock of `lockGeneration`. A terminal status never changes; what comes later is only appended as events.
 */
export const publish = async (
  transaction: Transaction,
  generation: LockedGeneration,
  change: Change,
): Promise<void> => {
  const terminal = generation.status !== 'queued' && generation.status !== 'running';
  const events = terminal ? (change.events ?? []) : eventsOf(generation, change);
  const values = terminal ? [] : assignments(change);
  if (values.length === 0 && events.length === 0) return;
  const rows = await transaction.$queryRaw<{ sequence: number }[]>`
    UPDATE generations SET ${Prisma.join([...values, Prisma.sql`event_sequence = event_sequence + ${events.length}`])}
    WHERE id = ${generation.id} RETURNING event_sequence AS sequence`;
  await appendEvents(transaction, generation.id, { events, lastSequence: rows[0]?.sequence ?? 0 });
};

/** `publish` in a transaction of its own. */
export const publishChange = (
  database: Database,
  id: string,
  decide: (generation: LockedGeneration) => Change,
): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const generation = await lockGeneration(transaction, id);
    await publish(transaction, generation, decide(generation));
  });

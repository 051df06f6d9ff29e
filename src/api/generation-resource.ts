import { noUsage, type GenerationInput, type MediaInput } from '../domain/generation';
import { failures, type Failure } from '../domain/failure';
import { addMoney, zero, type Money } from '../domain/money';
import type { GenerationRow } from '../stores/generations';

type AttemptRow = GenerationRow['attempts'][number];

/** As the caller named it; what came within the request only by what it is. Where we keep it is nobody's business. */
const echoMedia = ({ origin, stored }: MediaInput): object => ({
  ...('inline' in origin ? {} : origin),
  ...(stored && { contentType: stored.contentType, bytes: stored.bytes }),
});

/** What the caller sent, without sending its bytes back. */
const echoInput = (input: GenerationInput): object => ({
  ...input,
  image: input.image && echoMedia(input.image),
  lastFrame: input.lastFrame && echoMedia(input.lastFrame),
  referenceImages: input.referenceImages.map(echoMedia),
  video: input.video && echoMedia(input.video),
});

const echoError = (error: Failure | null): object | null =>
  error && { ...error, retryable: failures[error.code].retryable };

const total = (amounts: (Money | null)[]): Money => addMoney(zero, ...amounts.filter((amount) => amount !== null));

const isUnderway = ({ status }: AttemptRow): boolean => status === 'submitting' || status === 'submitted';

const costOf = ({ attempts, priceVersion }: GenerationRow): object => ({
  reservedUsd: total(attempts.filter(isUnderway).map((attempt) => attempt.estimatedUsd)),
  actualUsd: total(attempts.map((attempt) => attempt.costUsd)),
  possibleUsd: total(attempts.map((attempt) => attempt.possibleCostUsd)),
  priceVersion,
});

const echoAttempt = ({ estimatedUsd: _reserved, error, ...attempt }: AttemptRow): object => ({
  ...attempt,
  error: echoError(error),
});

export const pathOf = (id: string): string => `/v1/generations/${id}`;

const linksOf = (id: string, temporalUiUrl: string | null): object => ({
  self: pathOf(id),
  events: `${pathOf(id)}/events`,
  cancel: `${pathOf(id)}/cancel`,
  temporal: temporalUiUrl && `${temporalUiUrl}/namespaces/default/workflows/${encodeURIComponent(`generation/${id}`)}`,
});

const echoState = (row: GenerationRow): object => ({
  id: row.id,
  object: 'generation',
  medium: row.medium,
  status: row.status,
  phase: row.phase,
  progress: row.progress,
  queuePosition: row.queue?.position ?? null,
  expectedWaitSeconds: row.queue?.expectedSeconds ?? null,
  model: row.attempts.at(-1)?.model ?? null,
  provider: row.attempts.at(-1)?.provider ?? null,
});

const echoResults = (row: GenerationRow): object => ({
  artifacts: row.artifacts.map((artifact) => ({ ...artifact, url: `${pathOf(row.id)}/artifacts/${artifact.index}` })),
  text: row.text,
  usage: row.usage ?? noUsage,
  cost: costOf(row),
  error: echoError(row.error),
  warnings: row.warnings,
  cached: false,
  degraded: false,
});

/** A row as the contract shows it. */
export const toGenerationResource = (row: GenerationRow, temporalUiUrl: string | null): object => ({
  ...echoState(row),
  input: echoInput(row.request.input),
  analysis: row.analysis,
  decision: row.decision,
  attempts: row.attempts.map(echoAttempt),
  ...echoResults(row),
  rerunOf: row.rerunOf,
  user: row.user,
  metadata: row.metadata,
  tags: row.tags,
  cancelRequestedAt: row.cancelRequestedAt,
  createdAt: row.createdAt,
  startedAt: row.startedAt,
  completedAt: row.completedAt,
  links: linksOf(row.id, temporalUiUrl),
  workflow: { id: `generation/${row.id}`, runId: row.workflowRunId },
});

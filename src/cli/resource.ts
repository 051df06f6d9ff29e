/** What the API answers, as far as it is shown. */
export type Failure = { code: string; message: string; retryable: boolean };

export type Attempt = {
  number: number;
  provider: string;
  model: string;
  credential: string | null;
  operation: string | null;
  status: string;
  costUsd: string | null;
  possibleCostUsd: string | null;
  providerRequestId: string | null;
  gateway: string | null;
  error: Failure | null;
  startedAt: string | null;
  submittedAt: string | null;
  endedAt: string | null;
};

export type Artifact = { index: number; contentType: string; bytes: number; sha256: string; url: string };

export type Generation = {
  id: string;
  medium: string;
  status: string;
  phase: string | null;
  progress: number | null;
  model: string | null;
  provider: string | null;
  input: { prompt?: string | null; messages?: { content: string }[] };
  attempts: Attempt[];
  artifacts: Artifact[];
  text: string | null;
  cost: { reservedUsd: string; actualUsd: string; possibleUsd: string };
  error: Failure | null;
  warnings: string[];
  rerunOf: string | null;
  tags: string[];
  cancelRequestedAt: string | null;
  createdAt: string;
  startedAt: string | null;
  completedAt: string | null;
  links: Record<string, string | null>;
};

export type Page<Row> = { data: Row[]; hasMore: boolean; nextCursor: string | null };

export const isEnded = ({ status }: Pick<Generation, 'status'>): boolean => status !== 'queued' && status !== 'running';

export const routeOf = (id: string, action = ''): string =>
  `/v1/generations/${encodeURIComponent(id)}${action === '' ? '' : `/${action}`}`;

/** What it is about, in one line. */
export const subjectOf = ({ input }: Pick<Generation, 'input'>): string =>
  input.prompt ?? input.messages?.at(-1)?.content ?? '';

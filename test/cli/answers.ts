import { json, type Answering } from '../support/recording-server';

export const at = (second: number): string => new Date(Date.UTC(2026, 10, 21, 12, 0, second)).toISOString();

/** What the API answers, as far as the command line reads it. */
export const generation = (overrides: Record<string, unknown> = {}) => ({
  id: 'gen_1',
  object: 'generation',
  medium: 'video',
  status: 'queued',
  phase: null,
  progress: null,
  model: null,
  provider: null,
  input: { prompt: 'a red bicycle' },
  attempts: [],
  artifacts: [],
  text: null,
  cost: { reservedUsd: '0', actualUsd: '0', possibleUsd: '0' },
  error: null,
  warnings: [],
  rerunOf: null,
  tags: [],
  cancelRequestedAt: null,
  createdAt: at(0),
  startedAt: null,
  completedAt: null,
  links: { self: '/v1/generations/gen_1', temporal: null },
  ...overrides,
});

export const problem = (status: number, code: string, more: Record<string, unknown> = {}): Answering =>
  json({ status, code, detail: 'it is refused', requestId: 'request-7', errors: [], ...more }, status, {
    'content-type': 'application/problem+json',
  });

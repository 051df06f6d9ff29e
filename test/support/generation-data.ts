import type { Candidate, GenerationRequest } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { makeInput } from './provider-calls';

/** An accepted request with every default filled in. */
export const makeRequest = (overrides: Partial<GenerationRequest> = {}): GenerationRequest => ({
  medium: 'video',
  model: 'auto',
  provider: null,
  allowSuccessor: false,
  input: makeInput(),
  routing: { strategy: 'balanced', maxCostUsd: null, allow: [], deny: [], fallback: true },
  analysis: 'off',
  priority: 'medium',
  deadlineSeconds: 3600,
  onAmbiguous: 'auto',
  user: null,
  metadata: {},
  tags: [],
  ...overrides,
});

export const makeModel = (overrides: Partial<Model> = {}): Model => ({
  id: 'acme/clip',
  provider: 'acme',
  providerModel: 'acme-clip-1',
  family: 'clip',
  medium: 'video',
  capabilities: { from: ['text'], promptCharacters: 100, durationsSeconds: [4, 8] },
  price: { source: 'made up', readOn: '2026-11-21', per: 'second', rates: [{ usd: '0.1' }] },
  lifecycle: {},
  qualityTier: 2,
  typicalSeconds: 60,
  maximumSeconds: 600,
  automatic: true,
  ...overrides,
});

export const makeCandidate = (model: string, overrides: Partial<Candidate> = {}): Candidate => ({
  model,
  provider: model.split('/')[0] ?? '',
  estimatedCostUsd: '0.01',
  estimatedSeconds: 1,
  score: 1,
  reason: 'made up',
  excluded: null,
  ...overrides,
});

import type { Candidate, GenerationRequest, MediaInput } from '../../src/domain/generation';
import type { Model } from '../../src/domain/model';
import { unmeasured, type Snapshot } from '../../src/domain/routing';
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

/** Everybody has a key, no price may be missing. */
export const makeSnapshot = (models: readonly Model[], overrides: Partial<Snapshot> = {}): Snapshot => ({
  ...unmeasured,
  models,
  configured: new Set(models.map(({ provider }) => provider)),
  now: new Date('2026-11-21T12:00:00Z'),
  complexity: null,
  unknownPrices: 'block',
  seed: 'gen_1',
  ...overrides,
});

/** Named by address and not fetched yet. */
export const unfetched: MediaInput = { origin: { url: 'https://media.example.com/1' }, stored: null };

/** An image or video that lies in the blob store. */
export const makeMedia = (contentType: string, bytes = 1): MediaInput => ({
  origin: { upload: 'upl_1' },
  stored: { key: 'uploads/upl_1', contentType, bytes, sha256: '0'.repeat(64) },
});

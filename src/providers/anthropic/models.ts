import type { Model } from '../../domain/model';

type Row = Pick<Model, 'qualityTier' | 'typicalSeconds'> & {
  name: string;
  input: string;
  output: string;
  promptCharacters: number;
  maxTokens: number;
  note?: string;
};

/**
 * The API refuses a request without `max_tokens`: what is sent where the caller left it open. The estimate of a price
 * counts with as many.
 */
export const defaultMaxTokens = 4096;

/** No temperature: API version 2026-10-21 has none and refuses requests that name one. */
const claude = ({ name, input, output, promptCharacters, maxTokens, note, ...row }: Row): Model => ({
  ...row,
  id: `anthropic/${name}`,
  provider: 'anthropic',
  providerModel: name,
  family: name,
  medium: 'text',
  capabilities: {
    from: ['text', 'image'],
    promptCharacters,
    // 10 MB in base64.
    imageFiles: { types: ['image/png', 'image/jpeg', 'image/webp', 'image/gif'], maximumBytes: 7_864_320 },
    maxTokens: { minimum: 1, maximum: maxTokens, step: 1 },
    jsonSchema: true,
    messages: true,
  },
  price: {
    source: note === undefined ? 'litellm 1.109.1' : `litellm 1.109.1; ${note}`,
    readOn: '2026-11-21',
    per: 'millionTokens',
    input,
    output,
  },
  lifecycle: {},
  synchronous: true,
  maximumSeconds: 600,
  automatic: true,
});

export const models: readonly Model[] = [
  claude({
    name: 'claude-haiku-5-5',
    input: '0.10',
    output: '0.50',
    // Prompts of more than 100,000 tokens cost five times as much: what is taken stays below.
    promptCharacters: 250_000,
    maxTokens: 128_000,
    note: 'five times as much for prompts of more than 100,000 tokens (platform.claude.com, model overview)',
    qualityTier: 1,
    typicalSeconds: 4,
  }),
  claude({
    name: 'claude-haiku-4-5',
    input: '1',
    output: '5',
    promptCharacters: 600_000,
    maxTokens: 64_000,
    qualityTier: 1,
    typicalSeconds: 5,
  }),
  claude({
    name: 'claude-sonnet-5-5',
    input: '2',
    output: '10',
    promptCharacters: 2_000_000,
    maxTokens: 128_000,
    qualityTier: 2,
    typicalSeconds: 12,
  }),
  claude({
    name: 'claude-opus-5-5',
    input: '4',
    output: '20',
    promptCharacters: 2_000_000,
    maxTokens: 128_000,
    qualityTier: 3,
    typicalSeconds: 20,
  }),
];

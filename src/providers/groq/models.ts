import type { Capabilities, Model } from '../../domain/model';

const readOn = '2026-11-21';

type ChatRow = Pick<Model, 'qualityTier' | 'typicalSeconds' | 'family'> & {
  /** Groq names other makers' models with the maker before a slash. */
  providerModel: string;
  name: string;
  input: string;
  output: string;
  source: string;
  capabilities: Partial<Capabilities> & Pick<Capabilities, 'maxTokens'>;
  lifecycle?: Model['lifecycle'];
  api?: 'chat' | 'thinking-chat';
};

/** `thinking-chat`: thinks aloud in the text unless told otherwise. */
const chat = ({ name, input, output, source, capabilities, ...row }: ChatRow): Model => ({
  api: 'chat',
  lifecycle: {},
  ...row,
  id: `groq/${name}`,
  provider: 'groq',
  medium: 'text',
  capabilities: {
    from: ['text'],
    promptCharacters: 400_000,
    temperature: { minimum: 0, maximum: 2 },
    seed: { minimum: 0, maximum: 2_147_483_647, step: 1 },
    messages: true,
    ...capabilities,
  },
  price: { source, readOn, per: 'millionTokens', input, output },
  synchronous: true,
  maximumSeconds: 300,
  automatic: true,
});

type SpeechRow = { name: string; voices: readonly string[]; usd: string };

const speech = ({ name, voices, usd }: SpeechRow): Model => ({
  id: `groq/${name}`,
  provider: 'groq',
  providerModel: `canopylabs/${name}`,
  api: 'speech',
  family: name,
  medium: 'speech',
  capabilities: { from: ['text'], promptCharacters: 200, voices, formats: ['wav'] },
  price: {
    source: 'approximate: groq.com/pricing as third parties quote it (LiteLLM release notes 2026)',
    readOn,
    per: 'thousandCharacters',
    rates: [{ usd }],
  },
  lifecycle: {},
  qualityTier: 2,
  typicalSeconds: 2,
  synchronous: true,
  maximumSeconds: 120,
  automatic: true,
});

const litellm = 'litellm 1.109.1';

export const models: readonly Model[] = [
  chat({
    providerModel: 'openai/gpt-oss-120b',
    name: 'gpt-oss-120b',
    family: 'gpt-oss-120b',
    input: '0.15',
    output: '0.60',
    source: litellm,
    capabilities: { maxTokens: { minimum: 1, maximum: 65_536, step: 1, default: 8_192 }, jsonSchema: true },
    qualityTier: 2,
    typicalSeconds: 3,
  }),
  chat({
    providerModel: 'openai/gpt-oss-20b',
    name: 'gpt-oss-20b',
    family: 'gpt-oss-20b',
    input: '0.075',
    output: '0.30',
    source: litellm,
    capabilities: { maxTokens: { minimum: 1, maximum: 65_536, step: 1, default: 8_192 }, jsonSchema: true },
    qualityTier: 1,
    typicalSeconds: 2,
  }),
  chat({
    providerModel: 'qwen/qwen3.8-27b',
    name: 'qwen3.8-27b',
    api: 'thinking-chat',
    family: 'qwen3.8-27b',
    input: '0.80',
    output: '4.00',
    source: litellm,
    capabilities: {
      from: ['text', 'image'],
      // A request with base64 may have 4 MB.
      imageFiles: { types: ['image/png', 'image/jpeg', 'image/webp'], maximumBytes: 3_000_000 },
      maxTokens: { minimum: 1, maximum: 32_768, step: 1, default: 8_192 },
    },
    qualityTier: 2,
    typicalSeconds: 5,
  }),
  // Announced on 2026-06-17 (console.groq.com/docs/deprecations); since the shutdown for contracts of enterprises only.
  chat({
    providerModel: 'llama-3.3-70b-versatile',
    name: 'llama-3.3-70b-versatile',
    family: 'llama-3.3-70b',
    input: '0.59',
    output: '0.79',
    source: 'Portkey-AI/models f654307e (2026-08-21)',
    capabilities: { maxTokens: { minimum: 1, maximum: 32_768, step: 1 } },
    lifecycle: { deprecatedOn: '2026-06-17', retiredOn: '2026-08-16', successor: 'groq/gpt-oss-120b' },
    qualityTier: 2,
    typicalSeconds: 3,
  }),
  speech({
    name: 'orpheus-v1-english',
    voices: ['hannah', 'autumn', 'diana', 'austin', 'daniel', 'troy'],
    usd: '0.022',
  }),
  speech({
    name: 'orpheus-arabic-saudi',
    voices: ['noura', 'aisha', 'lulwa', 'abdullah', 'fahad', 'sultan'],
    usd: '0.04',
  }),
];

import { jsonAnswer, type Answer } from '../answer';
import type { Call } from '../provider';
import { pageOf } from './pages';
import { notFound, problemAnswer } from './problems';

export type ClaudeModel = {
  /** The snapshot that an alias stands for, and that answers. */
  id: string;
  name: string;
  line: 'haiku' | 'sonnet' | 'opus';
  createdAt: string;
  /** USD per million tokens: in, out. */
  rates: readonly [number, number];
  contextTokens: number;
  outputTokens: number;
  /** Whether the last message may be the beginning of the answer. */
  takesPrefill: boolean;
};

/** What the API itself says of a release date it does not know. */
const unknownDate = '1970-01-01T00:00:00Z';

const models: readonly ClaudeModel[] = [
  {
    id: 'claude-opus-5-5',
    name: 'Claude Opus 5.5',
    line: 'opus',
    createdAt: unknownDate,
    rates: [4, 20],
    contextTokens: 1_000_000,
    outputTokens: 128_000,
    takesPrefill: false,
  },
  {
    id: 'claude-sonnet-5-5',
    name: 'Claude Sonnet 5.5',
    line: 'sonnet',
    createdAt: unknownDate,
    rates: [2, 10],
    contextTokens: 1_000_000,
    outputTokens: 128_000,
    takesPrefill: false,
  },
  {
    id: 'claude-haiku-5-5',
    name: 'Claude Haiku 5.5',
    line: 'haiku',
    createdAt: unknownDate,
    rates: [0.1, 0.5],
    contextTokens: 200_000,
    outputTokens: 64_000,
    takesPrefill: false,
  },
  {
    id: 'claude-haiku-4-5-20251001',
    name: 'Claude Haiku 4.5',
    line: 'haiku',
    createdAt: '2025-10-15T00:00:00Z',
    rates: [1, 5],
    contextTokens: 200_000,
    outputTokens: 64_000,
    takesPrefill: true,
  },
];

export const findModel = (name: string): ClaudeModel | undefined =>
  models.find(({ id }) => id === name || id.replace(/-\d{8}$/, '') === name);

const supported = { supported: true };

const describe = (model: ClaudeModel): Record<string, unknown> & { id: string } => ({
  id: model.id,
  type: 'model',
  display_name: model.name,
  created_at: model.createdAt,
  line: model.line,
  lifecycle: 'active',
  deprecated_at: null,
  retires_at: null,
  max_input_tokens: model.contextTokens,
  max_tokens: model.outputTokens,
  capabilities: { batch: supported, image_input: supported, structured_outputs: supported },
});

export const listModels = (call: Call): Answer => {
  const page = pageOf(models.map(describe), call.query);
  return 'status' in page ? problemAnswer(page) : jsonAnswer(200, page);
};

export const retrieveModel = (call: Call): Answer => {
  const name = call.params['id'] ?? '';
  const model = findModel(name);
  return model === undefined ? problemAnswer(notFound(`model: ${name}`)) : jsonAnswer(200, describe(model));
};

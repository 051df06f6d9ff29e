import { jsonAnswer, type Answer } from '../answer';
import { isShut } from '../lifecycle';
import type { Call } from '../provider';
import { modelNotFound } from './problems';

const efforts = ['none', 'default', 'low', 'medium', 'high'] as const;
export type Effort = (typeof efforts)[number];

export type ChatModel = {
  owner: string;
  /** USD per million tokens: in, out. */
  rates: readonly [number, number];
  contextTokens: number;
  /** The day it was decommissioned. */
  endedOn?: string;
  /** JSON schemas: not at all, or also strictly. */
  schemas: 'none' | 'strict';
  /** Empty = it does not reason. */
  efforts: readonly Effort[];
  /** Where its thoughts go unless told otherwise: into the text, or beside it and nowhere else. */
  reasoning: 'raw' | 'separate' | 'none';
  seesImages: boolean;
};

const contextTokens = 131_072;

const chatModels: Record<string, ChatModel> = {
  'llama-3.3-70b-versatile': {
    owner: 'Meta',
    rates: [0.59, 0.79],
    contextTokens,
    endedOn: '2026-08-16',
    schemas: 'none',
    efforts: [],
    reasoning: 'none',
    seesImages: false,
  },
  'openai/gpt-oss-120b': {
    owner: 'OpenAI',
    rates: [0.15, 0.6],
    contextTokens,
    schemas: 'strict',
    efforts: ['low', 'medium', 'high'],
    reasoning: 'separate',
    seesImages: false,
  },
  'openai/gpt-oss-20b': {
    owner: 'OpenAI',
    rates: [0.075, 0.3],
    contextTokens,
    schemas: 'strict',
    efforts: ['low', 'medium', 'high'],
    reasoning: 'separate',
    seesImages: false,
  },
  'qwen/qwen3.8-27b': {
    owner: 'Alibaba Cloud',
    rates: [0.8, 4],
    contextTokens,
    schemas: 'none',
    efforts,
    reasoning: 'raw',
    seesImages: true,
  },
};

export type SpeechModel = {
  owner: string;
  millionCharactersUsd: number;
  voices: readonly string[];
};

export const speechModels: Record<string, SpeechModel> = {
  'canopylabs/orpheus-v1-english': {
    owner: 'Canopy Labs',
    millionCharactersUsd: 22,
    voices: ['autumn', 'diana', 'hannah', 'austin', 'daniel', 'troy'],
  },
  'canopylabs/orpheus-arabic-saudi': {
    owner: 'Canopy Labs',
    millionCharactersUsd: 40,
    voices: ['fahad', 'sultan', 'lulwa', 'noura'],
  },
};

export const findChatModel = (call: Call, name: string): ChatModel | undefined => {
  const model = chatModels[name];
  return model === undefined || isShut(call.world, model.endedOn) ? undefined : model;
};

type Listed = { id: string; owner: string; context: number; output: number };

const listed = (call: Call): Listed[] => [
  ...Object.entries(chatModels).flatMap(([id, model]) =>
    isShut(call.world, model.endedOn) ? [] : [{ id, owner: model.owner, context: model.contextTokens, output: 32_768 }],
  ),
  ...Object.entries(speechModels).map(([id, { owner }]) => ({ id, owner, context: 4_000, output: 50_000 })),
];

const describe = ({ id, owner, context, output }: Listed): Record<string, unknown> => ({
  id,
  object: 'model',
  created: 1_770_000_000,
  owned_by: owner,
  active: true,
  context_window: context,
  max_completion_tokens: output,
  public_apps: null,
});

export const listModels = (call: Call): Answer => jsonAnswer(200, { object: 'list', data: listed(call).map(describe) });

/** Ids have slashes, which clients send as they are or encoded. */
export const retrieveModel = (call: Call): Answer => {
  const name = call.params['id'] ?? '';
  const model = listed(call).find(({ id }) => id === name);
  return model === undefined ? modelNotFound(name) : jsonAnswer(200, describe(model));
};

import type { Answer } from '../answer';
import { problem } from './problems';

export type TextModel = {
  /** USD per million tokens: in, out. */
  rates: readonly [number, number];
  /** Takes no temperature, and in chat max_completion_tokens only. */
  reasons: boolean;
};

/** @see litellm 1.109.1, read 2026-11-21 */
export const textModels: Record<string, TextModel> = {
  'gpt-4o-mini': { rates: [0.15, 0.6], reasons: false },
  'gpt-4o': { rates: [2.5, 10], reasons: false },
  'gpt-5.5': { rates: [5, 30], reasons: true },
};

export const priceOf = ({ rates }: TextModel, inputTokens: number, outputTokens: number): number =>
  (inputTokens * rates[0] + outputTokens * rates[1]) / 1e6;

/** Reasoning models do as they please. */
export const checkTemperature = (model: TextModel, temperature: number | null | undefined): Answer | undefined => {
  if (!model.reasons || typeof temperature !== 'number' || temperature === 1) return undefined;
  const message = `Unsupported value: 'temperature' does not support ${temperature} with this model. Only the default (1) value is supported.`;
  return problem(400, { message, param: 'temperature', code: 'unsupported_value' });
};

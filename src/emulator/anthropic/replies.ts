import { cutAtSequence, cutAtTokens, fitsTokens } from '../cutting';
import type { EndingReason } from '../operations';
import { countTokens, writeProse } from '../prose';
import { fitSchema } from '../schema-example';
import type { ClaudeModel } from './models';
import { countImages, textOf, type MessageBody } from './request';

type StopReason = 'end_turn' | 'max_tokens' | 'stop_sequence' | 'refusal';

type StopDetails = {
  type: 'refusal';
  category: string;
  explanation: string;
};

type Reply = {
  text: string;
  stopReason: StopReason;
  stopSequence: string | null;
  stopDetails: StopDetails | null;
};

export type ClaudeMessage = {
  id: string;
  type: 'message';
  role: 'assistant';
  model: string;
  content: { type: 'text'; text: string; citations: null }[];
  stop_reason: StopReason;
  stop_sequence: string | null;
  stop_details: StopDetails | null;
  container: null;
  diagnostics: null;
  usage: Record<string, unknown> & { input_tokens: number; output_tokens: number };
};

// A picture of a megapixel, by width x height / 750.
const imageTokens = 1398;

export const countInput = (body: Parameters<typeof countImages>[0]): number =>
  countTokens(textOf(body.system) + body.messages.map(({ content }) => textOf(content)).join('')) +
  4 * body.messages.length +
  (body.tools === undefined ? 0 : countTokens(JSON.stringify(body.tools))) +
  imageTokens * countImages(body);

const refusal = (text: string): Reply => ({
  text,
  stopReason: 'refusal',
  stopSequence: null,
  stopDetails: {
    type: 'refusal',
    category: 'cyber',
    explanation: 'This request was declined because it could enable cyber harm.',
  },
});

const write = ({ output_config }: MessageBody, prompt: string): string =>
  output_config?.format ? JSON.stringify(fitSchema(output_config.format.schema, prompt)) : writeProse(prompt);

const replyTo = (body: MessageBody, prompt: string, reason: EndingReason | null): Reply => {
  if (reason === 'content') return refusal('');
  const whole = write(body, prompt);
  // Caught on the way out: what was streamed until then stays.
  if (reason === 'filtered') return refusal(whole.slice(0, Math.ceil(whole.length / 2)));
  const { text, sequence } = cutAtSequence(whole, body.stop_sequences ?? []);
  const ending = { stopSequence: null, stopDetails: null };
  if (body.max_tokens === 0 || !fitsTokens(text, body.max_tokens)) {
    return { ...ending, text: cutAtTokens(text, body.max_tokens), stopReason: 'max_tokens' };
  }
  return { ...ending, text, stopReason: sequence === null ? 'end_turn' : 'stop_sequence', stopSequence: sequence };
};

export type Question = {
  body: MessageBody;
  model: ClaudeModel;
  prompt: string;
  reason: EndingReason | null;
  tier: 'standard' | 'batch';
};

export const composeMessage = (id: string, { body, model, prompt, reason, tier }: Question): ClaudeMessage => {
  const reply = replyTo(body, prompt, reason);
  return {
    id,
    type: 'message',
    role: 'assistant',
    model: model.id,
    content: reply.text === '' ? [] : [{ type: 'text', text: reply.text, citations: null }],
    stop_reason: reply.stopReason,
    stop_sequence: reply.stopSequence,
    stop_details: reply.stopDetails,
    container: null,
    diagnostics: null,
    usage: {
      input_tokens: countInput(body),
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: reply.text === '' ? 0 : countTokens(reply.text),
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: tier,
      inference_geo: 'global',
      speed: null,
    },
  };
};

/** A refusal before the first word is free, one in the middle costs what it took until then; batches cost half. */
export const priceOf = ({ usage, stop_reason }: ClaudeMessage, { rates }: ClaudeModel, factor = 1): number => {
  if (stop_reason === 'refusal' && usage.output_tokens === 0) return 0;
  return (factor * (usage.input_tokens * rates[0] + usage.output_tokens * rates[1])) / 1e6;
};

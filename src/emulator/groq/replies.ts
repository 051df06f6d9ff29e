import { cutAtSequence, cutAtTokens, fitsTokens } from '../cutting';
import type { EndingReason } from '../operations';
import { countTokens, topicOf, writeProse } from '../prose';
import { fitSchema } from '../schema-example';
import type { ChatModel, Effort } from './models';
import { countImages, textOf, type ChatBody } from './request';

export type Reply = {
  content: string;
  /** Beside the text; undefined = not shown. */
  reasoning: string | undefined;
  reasoningTokens: number;
  completionTokens: number;
  finishReason: 'stop' | 'length';
  /** Why this cannot pass for the JSON that was asked for. */
  jsonProblem: string | undefined;
};

const steps = [
  'First I settle what matters most to them.',
  'Then I look for the plainest way to say it.',
  'A short answer with one concrete suggestion will serve best.',
];

const stepsOfEffort: Record<Effort, number> = { none: 0, low: 1, default: 2, medium: 2, high: 3 };

const think = (body: ChatBody, model: ChatModel, prompt: string): string => {
  const effort = body.reasoning_effort ?? 'medium';
  if (model.reasoning === 'none' || effort === 'none') return '';
  return [`The user writes about “${topicOf(prompt)}”.`, ...steps.slice(0, stepsOfEffort[effort])].join(' ');
};

const isJson = ({ response_format }: ChatBody): boolean => (response_format?.type ?? 'text') !== 'text';

const write = (body: ChatBody, prompt: string): string => {
  const format = body.response_format;
  if (format?.type === 'json_schema') return JSON.stringify(fitSchema(format.json_schema.schema, prompt));
  return format?.type === 'json_object' ? JSON.stringify({ answer: writeProse(prompt) }) : writeProse(prompt);
};

// Nothing filters here: a model that will not simply says so.
const refusal = "I'm sorry, but I can't help with that.";

const stopsOf = ({ stop }: ChatBody): string[] => (Array.isArray(stop) ? stop : [stop ?? '']);

type Place = 'raw' | 'parsed' | 'hidden';

const placeOf = (body: ChatBody, model: ChatModel): Place => {
  if (body.include_reasoning === false) return 'hidden';
  if (body.reasoning_format != null) return body.reasoning_format;
  return model.reasoning === 'raw' && !isJson(body) ? 'raw' : 'parsed';
};

const place = (thoughts: string, text: string, where: Place): Pick<Reply, 'content' | 'reasoning'> => {
  if (thoughts === '' || where === 'hidden') return { content: text, reasoning: undefined };
  return where === 'raw'
    ? { content: `<think>\n${thoughts}\n</think>\n\n${text}`, reasoning: undefined }
    : { content: text, reasoning: thoughts };
};

const jsonProblemOf = (body: ChatBody, isRefused: boolean, isCut: boolean): string | undefined => {
  if (!isJson(body)) return undefined;
  if (isRefused) return "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details.";
  return isCut ? 'max completion tokens reached before generating a valid document' : undefined;
};

const tokensOf = (text: string): number => (text === '' ? 0 : countTokens(text));

export const replyTo = (
  { body, model }: { body: ChatBody; model: ChatModel },
  prompt: string,
  reason: EndingReason | null,
): Reply => {
  const isRefused = reason === 'content' || reason === 'filtered';
  const limit = body.max_completion_tokens ?? body.max_tokens ?? Infinity;
  // Thoughts count: a small limit may leave no room for the answer.
  const thoughts = cutAtTokens(think(body, model, prompt), limit);
  const room = limit - tokensOf(thoughts);
  const whole = cutAtSequence(isRefused ? refusal : write(body, prompt), stopsOf(body)).text;
  const text = cutAtTokens(whole, room);
  const isCut = !fitsTokens(whole, room);
  return {
    ...place(thoughts, text, placeOf(body, model)),
    reasoningTokens: tokensOf(thoughts),
    completionTokens: tokensOf(thoughts) + tokensOf(text),
    finishReason: isCut ? 'length' : 'stop',
    jsonProblem: jsonProblemOf(body, isRefused, isCut),
  };
};

export const countPrompt = (body: ChatBody): number =>
  countTokens(body.messages.map(({ content }) => textOf(content)).join('')) +
  4 * body.messages.length +
  1000 * countImages(body);

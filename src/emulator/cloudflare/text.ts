import { z } from 'zod';
import type { Answer } from '../answer';
import { cutAtTokens, fitsTokens } from '../cutting';
import { dataEvent, doneEvent, eventStream, splitWords } from '../event-stream';
import type { Ending, EndingReason, Operation } from '../operations';
import { countTokens, writeProse } from '../prose';
import type { Call } from '../provider';
import { fitSchema } from '../schema-example';
import { complete, fateOf, type Fate } from '../submit';
import type { TextModel } from './models';
import { badInput, envelope, invalidInput, jsonFailed, modelFailed } from './problems';
import { chatAnswer, chatStream, responseAnswer } from './openai-shapes';

const part = z.looseObject({ type: z.string(), text: z.string().optional() });
const content = z.union([z.string().max(131_072), z.array(part)]);
const message = z.looseObject({ role: z.string(), content: content.nullable() });

/** Unknown properties are ignored: the models' schemas are open. */
const bodySchema = z.object({
  prompt: z.string().min(1).max(131_072).optional(),
  messages: z.array(message).min(1).optional(),
  /** Of the Responses API. */
  input: z.union([z.string().min(1), z.array(z.looseObject({})).min(1)]).optional(),
  stream: z.boolean().nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(5).nullish(),
  top_p: z.number().min(0).max(2).nullish(),
  top_k: z.int().min(1).max(50).nullish(),
  seed: z.int().min(1).max(9_999_999_999).nullish(),
  response_format: z
    .object({ type: z.enum(['text', 'json_object', 'json_schema']), json_schema: z.unknown().optional() })
    .nullish(),
});

type Body = z.infer<typeof bodySchema>;

const textOf = (value: unknown): string => {
  if (typeof value === 'string') return value;
  const parts = Array.isArray(value) ? (value as unknown[]) : [];
  return parts.map((item) => (Object(item) as { text?: string }).text ?? '').join(' ');
};

const contentsOf = (value: unknown): { role: unknown; text: string }[] =>
  (Array.isArray(value) ? (value as unknown[]) : []).map((item) => {
    const { role, content: inside } = Object(item) as { role?: unknown; content?: unknown };
    return { role, text: textOf(inside) };
  });

/** What the user said last; lenient, for it is read before anything is validated. */
export const lastPrompt = (body: unknown): string => {
  const { prompt, messages, input } = Object(body) as Record<string, unknown>;
  if (typeof prompt === 'string') return prompt;
  if (typeof input === 'string') return input;
  const said = contentsOf(messages ?? input);
  return (said.findLast(({ role }) => role === 'user') ?? said.at(-1))?.text ?? '';
};

const countPrompt = ({ prompt, messages, input }: Body): number => {
  if (messages !== undefined) {
    return (
      countTokens(
        contentsOf(messages)
          .map(({ text }) => text)
          .join(''),
      ) +
      4 * messages.length
    );
  }
  return countTokens(prompt ?? (typeof input === 'string' ? input : JSON.stringify(input)));
};

type Reply = {
  text: string;
  /** JSON mode of the older models answers an object, not its text. */
  value: unknown;
  isCut: boolean;
  isJson: boolean;
  isRefused: boolean;
};

// Written by the model itself, there is no filter.
const refusal = 'I cannot help with that request.';

const write = ({ response_format: format }: Body, prompt: string): unknown => {
  if (format?.type === 'json_object') return { answer: writeProse(prompt) };
  if (format?.type !== 'json_schema') return writeProse(prompt);
  // OpenAI's clients wrap the schema and name it.
  const { schema } = Object(format.json_schema) as { schema?: unknown };
  return fitSchema(typeof schema === 'object' ? schema : format.json_schema, prompt);
};

const defaultMaxTokens = 256;

const replyTo = (body: Body, prompt: string, reason: EndingReason | null): Reply => {
  const isRefused = reason === 'content' || reason === 'filtered';
  const value = isRefused ? refusal : write(body, prompt);
  const whole = typeof value === 'string' ? value : JSON.stringify(value);
  const limit = body.max_completion_tokens ?? body.max_tokens ?? defaultMaxTokens;
  return {
    text: cutAtTokens(whole, limit),
    value: typeof value === 'string' ? cutAtTokens(whole, limit) : value,
    isCut: !fitsTokens(whole, limit),
    isJson: (body.response_format?.type ?? 'text') !== 'text',
    isRefused,
  };
};

const misses = (reply: Reply): boolean => reply.isJson && (reply.isCut || reply.isRefused);

const endingOf = (fate: Fate, reply: Reply): Ending => {
  if (fate.ending === 'never' || fate.reason === 'internal') return fate.ending;
  return misses(reply) ? 'failed' : 'succeeded';
};

const bodyProblem = (body: Body, model: TextModel): Answer | undefined => {
  const ways = model.shape === 'openai' ? ['prompt', 'messages', 'input'] : ['prompt', 'messages'];
  if (!ways.some((way) => body[way as keyof Body] !== undefined)) {
    const wanted = ways.map((way) => `required properties at '/' are '${way}'`).join(', ');
    return badInput(`oneOf at '/' not met, 0 matches: ${wanted}`);
  }
  if (body.stream !== true) return undefined;
  if ((body.response_format?.type ?? 'text') !== 'text') return badInput('JSON Mode does not support streaming');
  return body.input !== undefined && body.messages === undefined
    ? badInput('the Responses API does not support streaming')
    : undefined;
};

const streamResponse = (reply: Reply, usage: Record<string, number>): Answer =>
  eventStream([
    ...splitWords(reply.text).map((response) => dataEvent({ response, p: 'abdefghijklmnop' })),
    dataEvent({ response: '', usage }),
    doneEvent,
  ]);

type Answered = { operation: Operation; body: Body; reply: Reply; usage: Record<string, number> };

const answerWith = ({ operation, body, reply, usage }: Answered, model: TextModel): Answer => {
  const isStream = body.stream === true;
  if (model.shape === 'response') {
    return isStream ? streamResponse(reply, usage) : envelope({ response: reply.value, tool_calls: [], usage });
  }
  const completion = { operation, text: reply.text, isCut: reply.isCut, usage };
  if (body.input !== undefined && body.messages === undefined) return envelope(responseAnswer(completion));
  return isStream ? chatStream(completion) : envelope(chatAnswer(completion));
};

export const runText = async (call: Call, name: string, model: TextModel): Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error, call.body);
  const body = parsed.data;
  const wrong = bodyProblem(body, model);
  if (wrong !== undefined) return wrong;
  const prompt = lastPrompt(body);
  const fate = fateOf(call, prompt);
  const reply = replyTo(body, prompt, fate.reason);
  const [prompt_tokens, completion_tokens] = [countPrompt(body), countTokens(reply.text)];
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  const operation = await complete(call, {
    ending: endingOf(fate, reply),
    reason: fate.reason,
    // The neurons were spent, whatever the text was worth; only a server's failure is free.
    chargedOnFailure: fate.reason !== 'internal',
    model: name,
    medium: 'text',
    prompt,
    priceUsd: (prompt_tokens * model.rates[0] + completion_tokens * model.rates[1]) / 1e6,
    durationMs: 1_000,
    outputs: [],
  });
  if (operation.ending === 'failed') return operation.reason === 'internal' ? modelFailed() : jsonFailed();
  return answerWith({ operation, body, reply, usage }, model);
};

import { jsonAnswer, type Answer } from '../answer';
import { dataEvent, doneEvent, eventStream, splitWords } from '../event-stream';
import type { Ending, Operation } from '../operations';
import type { Call } from '../provider';
import { complete, fateOf, type Fate } from '../submit';
import { jsonFailed, modelFailed, problem } from './problems';
import { countPrompt, replyTo, type Reply } from './replies';
import { lastPrompt, readChat, type ChatBody } from './request';

const usageOf = (operation: Operation, promptTokens: number, reply: Reply): Record<string, unknown> => {
  const seconds = operation.durationMs / 1000;
  const [queue_time, prompt_time, completion_time] = [seconds * 0.1, seconds * 0.1, seconds * 0.8];
  return {
    queue_time,
    prompt_tokens: promptTokens,
    prompt_time,
    completion_tokens: reply.completionTokens,
    completion_time,
    total_tokens: promptTokens + reply.completionTokens,
    total_time: prompt_time + completion_time,
    ...(reply.reasoningTokens === 0 ? {} : { completion_tokens_details: { reasoning_tokens: reply.reasoningTokens } }),
  };
};

type Completion = {
  operation: Operation;
  body: ChatBody;
  reply: Reply;
  usage: Record<string, unknown>;
  requestId: string;
};

const headOf = ({ operation }: Completion, object: string): Record<string, unknown> => ({
  id: operation.id,
  object,
  created: Math.floor(operation.submittedAtMs / 1000),
  model: operation.model,
  system_fingerprint: 'fp_emulator',
});

const signOf = ({ requestId, body }: Completion): Record<string, unknown> => ({
  id: requestId,
  ...(typeof body.seed === 'number' ? { seed: body.seed } : {}),
});

const tierOf = ({ service_tier }: ChatBody): string =>
  service_tier === undefined || service_tier === null || service_tier === 'auto' ? 'on_demand' : service_tier;

const wholeAnswer = (completion: Completion): Answer => {
  const { content, reasoning, finishReason } = completion.reply;
  const message = { role: 'assistant', content, ...(reasoning === undefined ? {} : { reasoning }) };
  return jsonAnswer(200, {
    ...headOf(completion, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
    usage: completion.usage,
    usage_breakdown: null,
    x_groq: signOf(completion),
    service_tier: tierOf(completion.body),
  });
};

/** The usage is in the last piece, whether asked for or not; asked for, it comes once more on its own. */
const streamedAnswer = (completion: Completion): Answer => {
  const { reply, usage, body } = completion;
  const head = headOf(completion, 'chat.completion.chunk');
  const chunk = (delta: Record<string, unknown>, finish: string | null, more: Record<string, unknown> = {}): string =>
    dataEvent({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...more });
  return eventStream([
    chunk({ role: 'assistant', content: '' }, null, { x_groq: signOf(completion) }),
    ...splitWords(reply.reasoning ?? '').map((reasoning) => chunk({ reasoning }, null)),
    ...splitWords(reply.content).map((content) => chunk({ content }, null)),
    chunk({}, reply.finishReason, { x_groq: { id: completion.requestId, usage } }),
    ...(body.stream_options?.include_usage === true ? [dataEvent({ ...head, choices: [], usage })] : []),
    doneEvent,
  ]);
};

const contextProblem = (contextTokens: number, promptTokens: number): Answer | undefined =>
  promptTokens <= contextTokens
    ? undefined
    : problem(400, {
        message: 'Please reduce the length of the messages or completion.',
        code: 'context_length_exceeded',
      });

/** A model that will not answer has answered, unless JSON was wanted. */
const endingOf = (fate: Fate, { jsonProblem }: Reply): Ending => {
  if (fate.ending === 'never' || fate.reason === 'internal') return fate.ending;
  return jsonProblem === undefined ? 'succeeded' : 'failed';
};

const failureOf = ({ reason }: Operation, { jsonProblem, content }: Reply): Answer =>
  reason === 'internal' || jsonProblem === undefined ? modelFailed : jsonFailed(jsonProblem, content);

export const completeChat = async (call: Call): Promise<Answer> => {
  const request = readChat(call);
  if ('status' in request) return request;
  const { body, model } = request;
  const promptTokens = countPrompt(body);
  const tooLong = contextProblem(model.contextTokens, promptTokens);
  if (tooLong !== undefined) return tooLong;
  const prompt = lastPrompt(body);
  const fate = fateOf(call, prompt);
  const reply = replyTo(request, prompt, fate.reason);
  const operation = await complete(call, {
    ending: endingOf(fate, reply),
    reason: fate.reason,
    // Text that is not JSON was generated like any other; only a server's failure is free.
    chargedOnFailure: fate.reason !== 'internal',
    id: `chatcmpl-${crypto.randomUUID()}`,
    model: body.model,
    medium: 'text',
    prompt,
    priceUsd: (promptTokens * model.rates[0] + reply.completionTokens * model.rates[1]) / 1e6,
    tokens: promptTokens + reply.completionTokens,
    durationMs: 500,
    outputs: [],
  });
  if (operation.ending === 'failed') return failureOf(operation, reply);
  const usage = usageOf(operation, promptTokens, reply);
  const requestId = `req_01${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`;
  const completion = { operation, body, reply, usage, requestId };
  return body.stream === true ? streamedAnswer(completion) : wholeAnswer(completion);
};

import type { Call, Outcome, Provider } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Line, Purpose, Transport } from '../transport';
import { models } from './models';
import {
  endpointOf,
  readRefusal,
  redirectHosts,
  toAccepted,
  toCancellation,
  toFailure,
  toLook,
  toResult,
  toSubmission,
} from './wire';

/**
 * The SDK sends again on 429, 5xx and everything that looks like a network error, submits included, and no option
 * turns that off. It gives up on errors it does not know, so a refusal must never reach it as an answer.
 */
const neverRetried =
  (line: Line): typeof fetch =>
  async (target, init) => {
    const response = await line.fetch(target, init);
    if (!response.ok) throw new Error('refused');
    return response;
  };

const loadSdk = () => import('@fal-ai/client');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  sdk.createFalClient({
    credentials: call.credential.secret,
    fetch: neverRetried(line),
    suppressLocalCredentialsWarning: true,
  }).queue;

/** Failed work is told by the refusal of its result. */
const fetchResult = async (conversation: Conversation, fetchData: () => Promise<unknown>, lookError: string | null) => {
  try {
    return { data: await converse(conversation, fetchData) };
  } catch (error) {
    const answer = conversation.line.failure() === null ? conversation.line.answer() : null;
    const failure = answer === null ? null : toFailure(answer, lookError);
    if (failure === null) throw error;
    return { failure };
  }
};

export const createFal = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const line = transport.open(call, purpose, redirectHosts(call.credential.baseUrl));
    const conversation: Conversation = { call, purpose, line, readRefusal, hidden };
    return { conversation, queue: connect(sdk, conversation) };
  };

  return {
    id: 'fal',
    models,

    async prepare() {
      await loadSdk();
    },

    async submit(model, input, call) {
      const submission = toSubmission(model, input);
      const { conversation, queue } = await begin(call, 'submit', [input.prompt]);
      const body = await converse(conversation, () =>
        queue.submit(submission.endpoint, {
          input: submission.input,
          // Else fal itself runs the work up to ten more times.
          headers: { 'x-fal-no-retry': '1' },
        }),
      );
      return toAccepted(body, submission, input);
    },

    async check(model, operation, call): Promise<Outcome> {
      const { conversation, queue } = await begin(call, 'check');
      const endpoint = endpointOf(model, operation);
      const requestId = operation.id;
      const seen = toLook(await converse(conversation, () => queue.status(endpoint, { requestId, logs: false })));
      if (seen.state === 'pending') return { state: 'pending', operation, progress: seen.progress };
      if (seen.state === 'canceled') return { state: 'canceled' };
      const fetchData = async (): Promise<unknown> => (await queue.result(endpoint, { requestId })).data;
      const result = await fetchResult(conversation, fetchData, seen.error);
      return result.failure ?? toResult(model, operation, result.data);
    },

    async cancel(model, operation, call) {
      const { conversation, queue } = await begin(call, 'cancel');
      try {
        await converse(conversation, () => queue.cancel(endpointOf(model, operation), { requestId: operation.id }));
      } catch (error) {
        if (conversation.line.answer()?.status !== 400) throw error;
      }
      return toCancellation(conversation.line.answer()?.status ?? 0);
    },
  };
};

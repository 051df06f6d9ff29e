import type { Call, Provider } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { models } from './models';
import { readRefusal, toAccepted, toOutcome, toSubmission } from './wire';

const defaultBaseUrl = 'https://api.dev.runwayml.com';

const loadSdk = () => import('@runwayml/sdk');

const connect = (sdk: Awaited<ReturnType<typeof loadSdk>>, { call, line }: Conversation) =>
  new sdk.default({
    apiKey: call.credential.secret,
    baseURL: call.credential.baseUrl ?? defaultBaseUrl, // else the SDK reads the environment
    fetch: line.fetch,
    maxRetries: 0,
    timeout: call.deadlineMs * 2, // ours comes first and covers the body
    logLevel: 'off',
  });

export const createRunway = (transport: Transport): Provider => {
  const begin = async (call: Call, purpose: Purpose, hidden: Conversation['hidden'] = []) => {
    const sdk = await loadSdk(); // before the deadline starts
    const conversation: Conversation = { call, purpose, line: transport.open(call, purpose), readRefusal, hidden };
    return { conversation, runway: connect(sdk, conversation) };
  };

  return {
    id: 'runway',
    models,

    async prepare() {
      await loadSdk();
    },

    async submit(model, input, call) {
      const submission = toSubmission(model, input);
      const { conversation, runway } = await begin(call, 'submit', [input.prompt]);
      const body = await converse(conversation, async () =>
        submission.kind === 'text'
          ? runway.textToVideo.create(submission.body)
          : runway.imageToVideo.create(submission.body),
      );
      return toAccepted(body, input);
    },

    async check(_model, operation, call) {
      const { conversation, runway } = await begin(call, 'check');
      return toOutcome(await converse(conversation, async () => runway.tasks.retrieve(operation.id)), operation);
    },

    /** DELETE cancels active work but destroys the output of finished work: never send it unseen. */
    async cancel(_model, operation, call) {
      const { conversation, runway } = await begin(call, 'cancel');
      const outcome = toOutcome(
        await converse(conversation, async () => runway.tasks.retrieve(operation.id)),
        operation,
      );
      if (outcome.state === 'canceled') return 'confirmed';
      if (outcome.state !== 'pending') return 'too_late';
      await converse(conversation, () => runway.tasks.delete(operation.id));
      return 'confirmed';
    },
  };
};

import type { Answer } from '../answer';
import { dataEvent, doneEvent, eventStream, splitWords } from '../event-stream';
import type { Operation } from '../operations';

type Completion = {
  operation: Operation;
  text: string;
  isCut: boolean;
  usage: Record<string, number>;
};

const headOf = ({ operation }: Completion, object: string): Record<string, unknown> => ({
  id: `chatcmpl-${operation.id}`,
  object,
  created: Math.floor(operation.submittedAtMs / 1000),
  model: operation.model,
});

const reasonOf = ({ isCut }: Completion): string => (isCut ? 'length' : 'stop');

/** Asked with `messages` or `prompt`. */
export const chatAnswer = (completion: Completion): Record<string, unknown> => ({
  ...headOf(completion, 'chat.completion'),
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: completion.text, refusal: null, tool_calls: [] },
      logprobs: null,
      finish_reason: reasonOf(completion),
    },
  ],
  usage: completion.usage,
});

export const chatStream = (completion: Completion): Answer => {
  const head = headOf(completion, 'chat.completion.chunk');
  const chunk = (delta: Record<string, unknown>): string =>
    dataEvent({ ...head, choices: [{ index: 0, delta, finish_reason: null }] });
  return eventStream([
    chunk({ role: 'assistant', content: '' }),
    ...splitWords(completion.text).map((content) => chunk({ content })),
    dataEvent({
      ...head,
      choices: [{ index: 0, delta: {}, finish_reason: reasonOf(completion) }],
      usage: completion.usage,
    }),
    doneEvent,
  ]);
};

/** Asked with `input`. */
export const responseAnswer = ({ operation, text, isCut, usage }: Completion): Record<string, unknown> => ({
  id: `resp_${operation.id.replaceAll('-', '')}`,
  object: 'response',
  created_at: Math.floor(operation.submittedAtMs / 1000),
  model: operation.model,
  status: isCut ? 'incomplete' : 'completed',
  output: [
    {
      id: `msg_${operation.id.replaceAll('-', '')}`,
      type: 'message',
      role: 'assistant',
      status: isCut ? 'incomplete' : 'completed',
      content: [{ type: 'output_text', text, annotations: [], logprobs: null }],
    },
  ],
  usage,
});

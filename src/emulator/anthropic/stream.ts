import type { Answer } from '../answer';
import { eventStream, splitWords } from '../event-stream';
import { errorBody, modelFailed } from './problems';
import type { ClaudeMessage } from './replies';

const event = (type: string, data: Record<string, unknown>): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;

const opening = (message: ClaudeMessage): string[] => [
  event('message_start', {
    message: {
      ...message,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      usage: { ...message.usage, output_tokens: Math.min(1, message.usage.output_tokens) },
    },
  }),
  event('ping', {}),
];

const blockEvents = (text: string, index: number): string[] => [
  event('content_block_start', { index, content_block: { type: 'text', text: '', citations: null } }),
  ...splitWords(text).map((word) => event('content_block_delta', { index, delta: { type: 'text_delta', text: word } })),
  event('content_block_stop', { index }),
];

const closing = (message: ClaudeMessage): string[] => {
  const { stop_reason, stop_sequence, stop_details, usage } = message;
  const { input_tokens, output_tokens, cache_creation_input_tokens, cache_read_input_tokens } = usage;
  return [
    event('message_delta', {
      delta: { stop_reason, stop_sequence, stop_details, container: null },
      usage: {
        input_tokens,
        output_tokens,
        cache_creation_input_tokens,
        cache_read_input_tokens,
        output_tokens_details: null,
        server_tool_use: null,
      },
    }),
    event('message_stop', {}),
  ];
};

export const streamMessage = (message: ClaudeMessage): Answer =>
  eventStream([
    ...opening(message),
    ...message.content.flatMap(({ text }, index) => blockEvents(text, index)),
    ...closing(message),
  ]);

/** The status was sent before the model failed: the error comes as an event of a 200. */
export const streamFailure = (message: ClaudeMessage): Answer =>
  eventStream([...opening(message), `event: error\ndata: ${JSON.stringify(errorBody(modelFailed, null))}\n\n`]);

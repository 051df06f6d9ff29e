import { cutAtTokens, fitsTokens } from '../cutting';
import type { EndingReason } from '../operations';
import { writeProse } from '../prose';
import { fitSchema } from '../schema-example';

export type Reply = {
  content: string | null;
  refusal: string | null;
  finishReason: 'stop' | 'length' | 'content_filter';
};

type Question = {
  prompt: string;
  reason: EndingReason | null;
  format: { type: 'text' | 'json_object' } | { type: 'json_schema'; schema: unknown };
  /** Tokens. */
  limit: number;
};

const write = ({ prompt, format }: Question): string => {
  if (format.type === 'json_schema') return JSON.stringify(fitSchema(format.schema, prompt));
  return format.type === 'json_object' ? JSON.stringify({ answer: writeProse(prompt) }) : writeProse(prompt);
};

/** A refusal and a filtered answer are answers like any other; chat and responses wrap them each in its own way. */
export const replyTo = (question: Question): Reply => {
  if (question.reason === 'content') {
    return { content: null, refusal: "I'm sorry, but I can't assist with that request.", finishReason: 'stop' };
  }
  if (question.reason === 'filtered') return { content: '', refusal: null, finishReason: 'content_filter' };
  const content = write(question);
  return fitsTokens(content, question.limit)
    ? { content, refusal: null, finishReason: 'stop' }
    : { content: cutAtTokens(content, question.limit), refusal: null, finishReason: 'length' };
};

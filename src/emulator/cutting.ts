import { countTokens } from './prose';

type Cut = {
  text: string;
  /** The sequence that ended it, which is not part of the text. */
  sequence: string | null;
};

/** Ends at the earliest of the stop sequences. */
export const cutAtSequence = (text: string, sequences: readonly string[]): Cut => {
  const found = sequences
    .filter((sequence) => sequence !== '' && text.includes(sequence))
    .sort((left, right) => text.indexOf(left) - text.indexOf(right))[0];
  return found === undefined ? { text, sequence: null } : { text: text.slice(0, text.indexOf(found)), sequence: found };
};

export const fitsTokens = (text: string, limit: number): boolean => text === '' || countTokens(text) <= limit;

export const cutAtTokens = (text: string, limit: number): string =>
  fitsTokens(text, limit) ? text : text.slice(0, Math.max(0, limit) * 4);

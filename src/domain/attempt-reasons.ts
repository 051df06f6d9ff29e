import type { Failure, FailureCode } from './failure';
import { cut } from './text';

/** What somebody can do about a failure, from what helps most to what helps least. */
const remedies = {
  change: 'change the prompt or what goes with it, and send it again',
  operator: 'let an operator look at the keys and models of the providers',
  wait: 're-run it in some minutes',
} as const;
type Remedy = keyof typeof remedies;

type Words = { reason: string; remedy: Remedy };

type Ended = Extract<FailureCode, `provider_${string}`> | 'caller_content_rejected' | 'caller_invalid_request';

/** For whoever asked for the work. No word of a provider is among them: it may quote what is nobody else's business. */
const words: Readonly<Record<Ended | 'policy_no_capacity', Words>> = {
  caller_content_rejected: { reason: 'the content is not allowed', remedy: 'change' },
  caller_invalid_request: { reason: 'the provider did not accept the request as it is', remedy: 'change' },
  policy_no_capacity: { reason: 'it had no room, and another one had', remedy: 'wait' },
  provider_auth: { reason: 'the provider refused our key, or there is none to use', remedy: 'operator' },
  provider_insufficient_funds: { reason: 'the account there has no credit left', remedy: 'operator' },
  provider_rate_limited: { reason: 'the provider takes no more requests at the moment', remedy: 'wait' },
  provider_overloaded: { reason: 'the provider is overloaded', remedy: 'wait' },
  provider_server_error: { reason: 'the provider could not be reached, or failed', remedy: 'wait' },
  provider_timeout: { reason: 'the provider did not answer in time', remedy: 'wait' },
  provider_bad_response: { reason: 'the provider answered what makes no sense', remedy: 'wait' },
  provider_model_not_found: { reason: 'the provider does not know the model (any more)', remedy: 'operator' },
  provider_content_rejected: { reason: 'the provider does not make such content', remedy: 'change' },
  provider_failed: { reason: 'the provider began and could not finish it', remedy: 'wait' },
  provider_result_lost: { reason: 'the result could not be fetched any more', remedy: 'wait' },
  provider_submit_ambiguous: { reason: 'nobody knows whether the provider got it', remedy: 'wait' },
  provider_all_failed: { reason: 'nobody could do it', remedy: 'wait' },
};

const ours: Words = { reason: 'something went wrong on our side', remedy: 'wait' };

const wordsFor = (code: FailureCode): Words => (words as Partial<Record<FailureCode, Words>>)[code] ?? ours;

/** An attempt that came to nothing. */
export type EndedAttempt = { model: string; code: FailureCode };

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

const timesOf = (count: number): string => (count === 1 ? '' : ` (${count} times)`);

/** In the order they were made; what went wrong alike with the same model stands there once. */
const listReasons = (attempts: readonly EndedAttempt[]): string[] => {
  const counts = new Map<string, number>();
  for (const { model, code } of attempts) {
    const line = `${model}: ${wordsFor(code).reason}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].map(([line, count]) => `${line}${timesOf(count)}`);
};

/** Where all that could do it refused it, waiting helps nobody. */
const listRemedies = (attempts: readonly EndedAttempt[]): Remedy[] => {
  const wanted = new Set(attempts.map(({ code }) => wordsFor(code).remedy));
  return (Object.keys(remedies) as Remedy[]).filter((remedy) => wanted.has(remedy));
};

const longest = 2000;

/** Why none of several models did it, each in words, and what to do next. */
export const explainAllFailed = (attempts: readonly EndedAttempt[]): Failure => {
  const models = new Set(attempts.map(({ model }) => model)).size;
  const next = listRemedies(attempts).map((remedy) => remedies[remedy]);
  const advice = `${capital(next.join(', or '))}.`;
  const reasons = cut(
    `None of ${models} models could do it. ${listReasons(attempts).join('; ')}`,
    longest - advice.length - 2,
  );
  return { code: 'provider_all_failed', message: `${reasons}. ${advice}` };
};

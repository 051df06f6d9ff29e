import fc from 'fast-check';
import { explainAllFailed, type EndedAttempt } from '../../src/domain/attempt-reasons';
import { failures, type FailureCode } from '../../src/domain/failure';

const codes = Object.keys(failures) as FailureCode[];

const messageOf = (...attempts: [model: string, code: FailureCode][]): string =>
  explainAllFailed(attempts.map(([model, code]) => ({ model, code }))).message;

test('names each model with what came of it, in order, and what to do next', () => {
  const message = messageOf(['acme/clip', 'provider_overloaded'], ['brick/reel', 'provider_timeout']);
  expect(message).toBe(
    'None of 2 models could do it. acme/clip: the provider is overloaded; brick/reel: the provider did not answer in ' +
      'time. Re-run it in some minutes.',
  );
});

test('says once what went wrong alike several times', () => {
  const message = messageOf(
    ['acme/clip', 'provider_submit_ambiguous'],
    ['acme/clip', 'provider_submit_ambiguous'],
    ['brick/reel', 'provider_failed'],
  );
  expect(message).toContain('None of 2 models');
  expect(message).toContain('acme/clip: nobody knows whether the provider got it (2 times); brick/reel: ');
});

test.each<[advice: RegExp, codes: [FailureCode, FailureCode]]>([
  [
    /^Change the prompt or what goes with it, and send it again\.$/,
    ['provider_content_rejected', 'caller_invalid_request'],
  ],
  [
    /^Let an operator look at the keys and models of the providers\.$/,
    ['provider_auth', 'provider_insufficient_funds'],
  ],
  [/^Re-run it in some minutes\.$/, ['provider_rate_limited', 'policy_no_capacity']],
  [/^Change the prompt .*, or re-run it in some minutes\.$/, ['provider_overloaded', 'provider_content_rejected']],
  [/^Let an operator look .*, or re-run it in some minutes\.$/, ['provider_server_error', 'provider_auth']],
])('advises %s', (advice, [one, other]) => {
  const message = messageOf(['acme/clip', one], ['brick/reel', other]);
  expect(message.split('. ').at(-1)).toMatch(advice);
});

const anyAttempts: fc.Arbitrary<EndedAttempt[]> = fc.array(
  fc.record({ model: fc.stringMatching(/^[a-z]{1,8}\/[a-z0-9.-]{1,60}$/), code: fc.constantFrom(...codes) }),
  { minLength: 1, maxLength: 60 },
);

test('has words for every failure, no code among them, and a length that fits', () => {
  fc.assert(
    fc.property(anyAttempts, (attempts) => {
      const { code, message } = explainAllFailed(attempts);
      expect(code).toBe('provider_all_failed');
      expect(message.length).toBeLessThanOrEqual(2_000);
      expect(message).toMatch(/\. [A-Z][^.]+\.$/);
      expect(message).not.toMatch(/(caller|policy|provider|system)_[a-z]/);
      expect(message).not.toContain('undefined');
    }),
  );
});

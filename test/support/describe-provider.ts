import { setTimeout as nextLook } from 'node:timers/promises';
import { inspect } from 'node:util';
import { startEmulator } from '../../src/emulator/server';
import type { FailureCode } from '../../src/domain/failure';
import type { GenerationInput } from '../../src/domain/generation';
import { ProviderError, type Call, type Operation, type Outcome, type Provider } from '../../src/providers/provider';
import { createTransport, type Transport } from '../../src/providers/transport';
import { makeCall, makeInput, modelOf, secret } from './provider-calls';

type Subject = {
  create: (transport: Transport) => Provider;
  model: string;
  input?: Partial<GenerationInput>;
  /** Where the emulator speaks this provider's protocol; what `P_BASE_URL` would be. */
  basePath: string;
  /** The answer to the submit is the result: nothing to look at or to cancel. */
  synchronous?: boolean;
  /** The answer is bytes without a structure to check. */
  opaque?: boolean;
  /** Where this provider's own error body of a status says something else than the status. */
  codes?: Partial<Record<number, FailureCode>>;
  /** The 5xx the provider documents as not accepted (docs: temporal.md §5). */
  notAccepted: readonly (500 | 503)[];
  /** What an ended answer starts with. */
  magic: RegExp;
};

const shortDeadlineMs = 400;
/** Longer than the emulator draws, so that only what stalls is cut. */
const deadlineMs = 10_000;

/** What every provider adapter does, tried through its real SDK against the emulator. */
export const describeProvider = (name: string, subject: Subject): void => {
  let emulator: Awaited<ReturnType<typeof startEmulator>>;
  let transport: Transport;
  let provider: Provider;
  const model = modelOf(subject.model);
  const input = makeInput(subject.input);

  const control = async (path: string, body?: unknown): Promise<{ data: Record<string, unknown>[] }> => {
    const response = await fetch(`${emulator.url}/__emulator/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the emulator refused ${path}: ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as { data: Record<string, unknown>[] };
  };

  const break_ = (fault: Record<string, unknown>) => control('faults', { provider: provider.id, times: 1, ...fault });
  const call = (overrides: Partial<Call> = {}) =>
    makeCall(`${emulator.url}${subject.basePath}`, { deadlineMs, ...overrides });
  const submit = (overrides: Partial<Call> = {}) => provider.submit(model, input, call(overrides));
  const countSubmits = async () =>
    (await control('requests')).data.filter((request) => request['kind'] === 'submit').length;
  const countPaid = async () => (await control('ledger')).data.length;

  const refusal = async (talking: Promise<unknown>): Promise<ProviderError> => {
    const error: unknown = await talking.then(
      (value) => value,
      (thrown: unknown) => thrown,
    );
    if (error instanceof ProviderError) return error;
    throw new Error(`not a ProviderError: ${inspect(error)}`, { cause: error });
  };

  const operationOf = (outcome: Outcome): Operation => {
    if (outcome.state === 'pending') return outcome.operation;
    throw new Error(`not pending: ${JSON.stringify(outcome)}`);
  };

  const check = async (operation: Operation): Promise<Outcome> => {
    if (provider.check === undefined) throw new Error(`${provider.id} cannot look`);
    return provider.check(model, operation, call());
  };

  /** Looks until the work has ended. */
  const follow = async (outcome: Outcome): Promise<Outcome> => {
    let seen = outcome;
    while (seen.state === 'pending') {
      await nextLook(20);
      seen = await check(seen.operation);
    }
    return seen;
  };

  const readAll = async (outcome: Outcome): Promise<Buffer[]> => {
    if (outcome.state !== 'succeeded') throw new Error(`not succeeded: ${JSON.stringify(outcome)}`);
    return Promise.all(
      outcome.outputs.map(async (output) => {
        if (output.kind === 'text') return Buffer.from(output.text);
        if (output.kind === 'bytes') return Buffer.from(output.bytes);
        const limits = { deadlineMs: 5_000, maximumBytes: 50_000_000, allowedOrigin: emulator.url };
        const { body } = await transport.download(output.url, limits);
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        return Buffer.concat(chunks);
      }),
    );
  };

  describe(name, () => {
    beforeAll(async () => {
      emulator = await startEmulator({ port: 0 });
      transport = createTransport();
      provider = subject.create(transport);
      await provider.prepare?.();
    });
    beforeEach(async () => {
      await control('reset', {});
      await control('settings', { latencyScale: 0.01 });
    });
    afterAll(async () => {
      await transport.close();
      await emulator.close();
    });

    test('makes what was asked for with one paid request', async () => {
      const talked = call();
      const outcome = await follow(await provider.submit(model, input, talked));
      const files = await readAll(outcome);
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) expect(file.subarray(0, 12).toString('latin1')).toMatch(subject.magic);
      expect(await countSubmits()).toBe(1);
      expect(await countPaid()).toBe(1);
      expect(talked.exchanges).toHaveLength(1);
    }, 15_000);

    test('is not accepted, and told when to come back, on 429', async () => {
      await break_({ operation: 'submit', kind: 'status', status: 429, retryAfter: 2 });
      const error = await refusal(submit());
      const code = subject.codes?.[429] ?? 'provider_rate_limited';
      expect(error).toMatchObject({ code, accepted: 'no', httpStatus: 429 });
      expect([null, 2_000]).toContain(error.retryAfterMs);
      expect(await countSubmits()).toBe(1);
      expect(await countPaid()).toBe(0);
    });

    test.each([500, 503] as const)('reads %d as its documentation has it', async (status) => {
      await break_({ operation: 'submit', kind: 'status', status });
      const error = await refusal(submit());
      const code: FailureCode = status === 503 ? 'provider_overloaded' : 'provider_server_error';
      const accepted = subject.notAccepted.includes(status) ? 'no' : 'unknown';
      expect(error).toMatchObject({ code, accepted, httpStatus: status });
      expect(await countSubmits()).toBe(1);
    });

    test.each([
      ['html', 'provider_bad_response'],
      ['truncated_json', 'provider_server_error'],
      ...(subject.opaque === true ? [] : [['invalid_json', 'provider_bad_response'] as const]),
      ['empty_object', 'provider_bad_response'],
      ['drop_before_headers', 'provider_server_error'],
      ['drop_after_accept', 'provider_server_error'],
    ] as const)('cannot tell what became of a submit after %s, and does not send it again', async (kind, code) => {
      await break_({ operation: 'submit', kind });
      expect(await refusal(submit())).toMatchObject({ code, accepted: 'unknown' });
      expect(await countSubmits()).toBe(1);
      expect(await countPaid()).toBeLessThanOrEqual(1);
    });

    test.each(['stall_headers', 'stall_body'])('keeps its deadline during %s', async (kind) => {
      await break_({ operation: 'submit', kind });
      const startedAt = performance.now();
      const error = await refusal(submit({ deadlineMs: shortDeadlineMs }));
      expect(error).toMatchObject({ code: 'provider_timeout', accepted: 'unknown' });
      expect(performance.now() - startedAt).toBeLessThan(deadlineMs / 2);
      expect(await countSubmits()).toBe(1);
    });

    test('knows that nobody was reached', async () => {
      const nowhere = { credential: { alias: 'test', secret, baseUrl: 'http://127.0.0.1:1/x' } };
      expect(await refusal(submit(nowhere))).toMatchObject({ accepted: 'no', scope: 'provider' });
    });

    test.each([
      [401, 'provider_auth', 'credential'],
      [403, 'provider_auth', 'credential'],
      [400, 'caller_invalid_request', 'request'],
      [422, 'caller_invalid_request', 'request'],
      [404, 'provider_model_not_found', 'model'],
    ] as const)('reads %d as %s unless its body knows better', async (status, code, scope) => {
      await break_({ operation: 'submit', kind: 'status', status });
      const special = subject.codes?.[status];
      const expected = special === undefined ? { code, scope } : { code: special };
      expect(await refusal(submit())).toMatchObject({ ...expected, accepted: 'no' });
    });

    test('says that the content was refused', async () => {
      await break_({ kind: 'content_refused' });
      const ended: { code?: string; state?: string } = await submit()
        .then(follow)
        .catch((error: ProviderError) => error);
      expect(ended.code).toBe('provider_content_rejected');
      expect(await countSubmits()).toBe(1);
    }, 15_000);

    test('shows no key and no signed URL in errors and exchanges', async () => {
      for (const status of [401, 403, 429, 500]) {
        await break_({ operation: 'submit', kind: 'status', status });
        const talked = call();
        const error = await refusal(provider.submit(model, input, talked));
        const shown = [
          error.message,
          String(error.stack),
          String(error.cause),
          JSON.stringify(talked.exchanges),
        ].join();
        expect(shown).not.toContain(secret);
        expect(shown).not.toMatch(/[?&](_jwt|signature|token)=/i);
        expect(error.message.length).toBeLessThanOrEqual(400);
        expect(error.message).not.toBe('');
      }
    });

    if (subject.synchronous === true) return;

    test('looks once a look, and survives a failed look', async () => {
      const operation = operationOf(await submit());
      await break_({ operation: 'poll', kind: 'status', status: 500 });
      const looking = check(operation);
      expect(await refusal(looking)).toMatchObject({ httpStatus: 500 });
      await break_({ operation: 'poll', kind: 'drop_before_headers' });
      const again = check(operation);
      expect(await refusal(again)).toMatchObject({ code: 'provider_server_error' });
      const polls = (await control('requests')).data.filter((request) => request['kind'] === 'poll');
      expect(polls).toHaveLength(2);
      expect(await follow({ state: 'pending', operation })).toMatchObject({ state: 'succeeded' });
    }, 15_000);

    test('tells work that failed at the provider', async () => {
      await break_({ kind: 'failed' });
      expect(await follow(await submit())).toMatchObject({ state: 'failed', code: 'provider_failed' });
    }, 15_000);

    test('cancels running work and finds finished work too late', async () => {
      if (provider.cancel === undefined) return;
      await control('settings', { latencyScale: 10 });
      const running = operationOf(await submit());
      expect(['confirmed', 'requested']).toContain(await provider.cancel(model, running, call()));
      await control('settings', { latencyScale: 0.01 });
      const finished = operationOf(await submit());
      await follow({ state: 'pending', operation: finished });
      expect(await provider.cancel(model, finished, call())).toBe('too_late');
      expect(await follow({ state: 'pending', operation: finished })).toMatchObject({ state: 'succeeded' });
    }, 15_000);

    test('finds work whose answer was lost, and only that', async () => {
      if (provider.find === undefined) return;
      const since = new Date();
      expect(await provider.find(model, since, call())).toBe('absent');
      await break_({ operation: 'submit', kind: 'drop_after_accept' });
      await refusal(submit());
      const found = await provider.find(model, since, call());
      expect(found).toMatchObject({ id: expect.any(String) as string });
      expect(await follow({ state: 'pending', operation: found as Operation })).toMatchObject({ state: 'succeeded' });
      expect(await countPaid()).toBe(1);
    }, 15_000);
  });
};

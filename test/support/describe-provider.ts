import type { FailureCode } from '../../src/domain/failure';
import { type ProviderError } from '../../src/providers/provider';
import { secret } from './provider-calls';
import { operationOf, refusalOf, startBench, type Bench, type Subject } from './provider-bench';

type Suite = { subject: Subject; bench: () => Bench };

const shortDeadlineMs = 400;
const slowTestMs = 20_000;

const describeAmbiguity = ({ subject, bench }: Suite): void => {
  test.each([
    ['html', 'provider_bad_response'],
    ['truncated_json', 'provider_server_error'],
    ...(subject.opaque === true ? [] : [['invalid_json', 'provider_bad_response'] as const]),
    ['empty_object', 'provider_bad_response'],
    ['drop_before_headers', 'provider_server_error'],
    ['drop_after_accept', 'provider_server_error'],
  ] as const)('cannot tell what became of a submit after %s, and does not send it again', async (kind, code) => {
    await bench().causeFault({ operation: 'submit', kind });
    expect(await refusalOf(bench().submit())).toMatchObject({ code, accepted: 'unknown' });
    expect(await bench().countRequests('submit')).toBe(1);
    expect(await bench().countPaid()).toBeLessThanOrEqual(1);
  });

  test.each(['stall_headers', 'stall_body'])('keeps its deadline during %s', async (kind) => {
    await bench().causeFault({ operation: 'submit', kind });
    const error = await refusalOf(bench().submit(bench().call({ deadlineMs: shortDeadlineMs })));
    expect(error).toMatchObject({ code: 'provider_timeout', accepted: 'unknown' });
    expect(await bench().countRequests('submit')).toBe(1);
  });

  test('knows that nobody was reached', async () => {
    const credential = { alias: 'test', secret, baseUrl: 'http://127.0.0.1:1/x' };
    const error = await refusalOf(bench().submit(bench().call({ credential })));
    expect(error).toMatchObject({ accepted: 'no', scope: 'provider' });
  });
};

/** What a proxy in front of the provider says; and the forms of retry-after that any HTTP server may use. */
const describePlainHttp = ({ subject, bench }: Suite): void => {
  test('makes nothing of an HTML error page but that it failed', async () => {
    await bench().causeFault({ operation: 'submit', kind: 'html', status: 502 });
    const error = await refusalOf(bench().submit());
    expect(['provider_server_error', 'provider_overloaded']).toContain(error.code);
    expect(error).toMatchObject({ httpStatus: 502, accepted: subject.notAccepted.includes(502) ? 'no' : 'unknown' });
    expect(error.message).not.toContain('<');
    expect(await bench().countRequests('submit')).toBe(1);
  });

  test.each([
    ['seconds', { 'retry-after': '3' }, 3_000],
    ['milliseconds', { 'retry-after-ms': '1500' }, 1_500],
  ])('reads a retry-after in %s', async (_form, headers, retryAfterMs) => {
    await bench().causeFault({ operation: 'submit', kind: 'status', status: 429, headers });
    expect(await refusalOf(bench().submit())).toMatchObject({ accepted: 'no', retryAfterMs });
    expect(await bench().countRequests('submit')).toBe(1);
  });

  test('reads a retry-after that is a date', async () => {
    const headers = { 'retry-after': new Date(Date.now() + 60_000).toUTCString() };
    await bench().causeFault({ operation: 'submit', kind: 'status', status: 429, headers });
    const { retryAfterMs } = await refusalOf(bench().submit());
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });
};

const describeRefusals = ({ subject, bench }: Suite): void => {
  test('is not accepted, and told when to come back, on 429', async () => {
    await bench().causeFault({ operation: 'submit', kind: 'status', status: 429, retryAfter: 2 });
    const error = await refusalOf(bench().submit());
    const code = subject.codes?.[429] ?? 'provider_rate_limited';
    expect(error).toMatchObject({ code, accepted: 'no', httpStatus: 429, retryAfterMs: 2_000 });
    expect(await bench().countRequests('submit')).toBe(1);
    expect(await bench().countPaid()).toBe(0);
  });

  test.each([500, 503] as const)('reads %d as its documentation has it', async (status) => {
    await bench().causeFault({ operation: 'submit', kind: 'status', status });
    const code: FailureCode = status === 503 ? 'provider_overloaded' : 'provider_server_error';
    const accepted = subject.notAccepted.includes(status) ? 'no' : 'unknown';
    expect(await refusalOf(bench().submit())).toMatchObject({ code, accepted, httpStatus: status });
    expect(await bench().countRequests('submit')).toBe(1);
  });

  test.each([
    [401, 'provider_auth', 'credential'],
    [403, 'provider_auth', 'credential'],
    [400, 'caller_invalid_request', 'request'],
    [422, 'caller_invalid_request', 'request'],
    [404, 'provider_model_not_found', 'model'],
  ] as const)('reads %d as %s unless its body knows better', async (status, code, scope) => {
    await bench().causeFault({ operation: 'submit', kind: 'status', status });
    const special = subject.codes?.[status];
    const expected = special === undefined ? { code, scope } : { code: special };
    expect(await refusalOf(bench().submit())).toMatchObject({ ...expected, accepted: 'no' });
  });

  test('shows no key and no signed URL in errors and exchanges', async () => {
    for (const status of [401, 403, 429, 500]) {
      await bench().causeFault({ operation: 'submit', kind: 'status', status });
      const talked = bench().call();
      const error = await refusalOf(bench().submit(talked));
      const shown = [error.message, error.stack, String(error.cause), JSON.stringify(talked.exchanges)].join();
      expect(shown).not.toContain(secret);
      expect(shown).not.toMatch(/[?&](_jwt|signature|token)=/i);
      expect(error.message).toMatch(/^.{1,400}$/s);
    }
  });
};

const describeResults = ({ subject, bench }: Suite): void => {
  test('is known by its row to answer at once or later, which decides how long a submit may take', async () => {
    const { state } = await bench().submit();
    expect(state).toBe(subject.synchronous === true ? 'succeeded' : 'pending');
    // the mock provider is quick either way
    if (bench().provider.id !== 'mock') expect(bench().model.synchronous === true).toBe(subject.synchronous === true);
  });

  test(
    'makes what was asked for with one paid request',
    async () => {
      const talked = bench().call();
      const files = await bench().readOutputs(await bench().follow(await bench().submit(talked)));
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) expect(file.subarray(0, 12).toString('latin1')).toMatch(subject.magic);
      expect(await bench().countRequests('submit')).toBe(1);
      expect(await bench().countPaid()).toBe(1);
      expect(talked.exchanges).toHaveLength(1);
    },
    slowTestMs,
  );

  test(
    'says that the content was refused',
    async () => {
      await bench().causeFault({ kind: 'content_refused' });
      const ended = await bench()
        .submit()
        .then((outcome) => bench().follow(outcome))
        .catch((error: unknown) => error as ProviderError);
      expect(ended).toMatchObject(
        subject.refusesInWords === true ? { state: 'succeeded' } : { code: 'provider_content_rejected' },
      );
      expect(await bench().countRequests('submit')).toBe(1);
    },
    slowTestMs,
  );
};

/** Blocked results come as a success without them, as a refusal in the answer, or as a failure: all the same to us. */
const describeFilters = ({ bench }: Suite): void => {
  test(
    'says that the result was withheld',
    async () => {
      await bench().causeFault({ kind: 'filtered' });
      const ended = await bench()
        .submit()
        .then((outcome) => bench().follow(outcome))
        .catch((error: unknown) => error as ProviderError);
      expect(ended).toMatchObject({ code: 'provider_content_rejected' });
      expect(await bench().countRequests('submit')).toBe(1);
    },
    slowTestMs,
  );
};

const describeArtifacts = ({ bench }: Suite): void => {
  test(
    'has a file whole that was cut in the middle: read on where the server can, else on the next try',
    async () => {
      const outcome = await bench().follow(await bench().submit());
      const read = () => bench().readOutputs(outcome);
      const [whole] = await read();
      await bench().causeFault({ operation: 'artifact', kind: 'artifact_truncated' });
      const [again] = await read().catch(read);
      expect(again).toEqual(whole);
    },
    slowTestMs,
  );

  test.each([
    ['artifact_expired', 'gone'],
    ['artifact_wrong_length', 'truncated'],
    ['artifact_oversized', 'too_large'],
  ])(
    'calls a file with %s %s, and has it on the next try',
    async (kind, fault) => {
      const outcome = await bench().follow(await bench().submit());
      await bench().causeFault({ operation: 'artifact', kind });
      await expect(bench().readOutputs(outcome)).rejects.toMatchObject({ fault });
      for (const file of await bench().readOutputs(outcome)) expect(file.length).toBeGreaterThan(100);
    },
    slowTestMs,
  );
};

const describeLooks = ({ bench }: Suite): void => {
  test(
    'goes on looking at work that is stuck',
    async () => {
      await bench().causeFault({ kind: 'stuck' });
      const operation = operationOf(await bench().submit());
      for (let look = 0; look < 3; look += 1)
        expect(await bench().check(operation)).toMatchObject({ state: 'pending', operation });
    },
    slowTestMs,
  );

  test(
    'looks once a look, and survives a failed look',
    async () => {
      const operation = operationOf(await bench().submit());
      await bench().causeFault({ operation: 'poll', kind: 'status', status: 500 });
      expect(await refusalOf(bench().check(operation))).toMatchObject({ httpStatus: 500 });
      await bench().causeFault({ operation: 'poll', kind: 'drop_before_headers' });
      expect(await refusalOf(bench().check(operation))).toMatchObject({ code: 'provider_server_error' });
      expect(await bench().countRequests('poll')).toBe(2);
      expect(await bench().follow({ state: 'pending', operation })).toMatchObject({ state: 'succeeded' });
    },
    slowTestMs,
  );

  test(
    'tells work that failed at the provider',
    async () => {
      await bench().causeFault({ kind: 'failed' });
      const outcome = await bench().follow(await bench().submit());
      expect(outcome).toMatchObject({ state: 'failed', code: 'provider_failed' });
    },
    slowTestMs,
  );
};

const describeCancels = ({ bench }: Suite): void => {
  test(
    'cancels running work and finds finished work too late',
    async () => {
      const { provider, model, call, follow, submit, setLatency } = bench();
      if (provider.cancel === undefined) return;
      await setLatency(10);
      const running = operationOf(await submit());
      const canceled = await provider.cancel(model, running, call());
      if (canceled === 'unable') {
        expect(await bench().check(running)).toMatchObject({ state: 'pending' });
        return;
      }
      expect(['confirmed', 'requested']).toContain(canceled);
      await setLatency(0.01);
      const finished = operationOf(await submit());
      await follow({ state: 'pending', operation: finished });
      expect(await provider.cancel(model, finished, call())).toBe('too_late');
      expect(await follow({ state: 'pending', operation: finished })).toMatchObject({ state: 'succeeded' });
    },
    slowTestMs,
  );
};

const longAgo = (): Date => new Date(Date.now() - 24 * 3_600_000);

/** Looking for lost work: whatever a provider can tell of it, nothing is ever sent a second time for it. */
const describeRecovery = ({ subject, bench }: Suite): void => {
  const { door } = subject;
  if (door === undefined) {
    test('finds nothing where nobody can know', async () => {
      const { provider, model, call, input, submit } = bench();
      const sent = { at: new Date(), input };
      await submit();
      if (provider.find !== undefined) expect(await provider.find(model, sent, call())).toBe('unknown');
      const all = await provider.findAll?.(model, sent.at, { ...call(), traces: [call().trace] });
      expect(all ?? []).toEqual([]);
      expect(await bench().countPaid()).toBe(1);
    });
    return;
  }

  test(
    'finds work whose answer was lost',
    async () => {
      const { input, find, follow, submit } = bench();
      const sent = { at: new Date(), input };
      await bench().causeFault({ operation: 'submit', kind: 'drop_after_accept' });
      await refusalOf(submit());
      const found = await find(sent);
      if (typeof found === 'string') throw new Error(`not found: ${found}`);
      const files = await bench().readOutputs(await follow({ state: 'pending', operation: found }));
      for (const file of files) expect(file.subarray(0, 12).toString('latin1')).toMatch(subject.magic);
      expect(await bench().countRequests('submit')).toBe(1);
      expect(await bench().countPaid()).toBe(1);
    },
    slowTestMs,
  );

  test('does not find what never arrived, nor the work of others', async () => {
    const { provider, model, call, input, submit } = bench();
    await submit(call({ trace: 'gen_2/attempt/1' }), { ...input, prompt: 'a green bicycle in the snow' });
    await bench().causeFault({ operation: 'submit', kind: 'drop_before_headers' });
    await refusalOf(submit());
    const looking = provider.find?.(model, { at: new Date(), input }, call());
    if (door.absence === 'absent') expect(await looking).toBe('absent');
    else expect(await refusalOf(looking ?? Promise.resolve())).toMatchObject({ code: 'provider_timeout' });
    expect(await bench().find({ at: longAgo(), input })).toBe(door.absence);
    expect(await bench().countPaid()).toBe(1);
  });

  test('does not decide on a list it could not read', async () => {
    const { provider, model, call, input } = bench();
    const credential = { ...call().credential, baseUrl: 'http://127.0.0.1:1/x' };
    const looking = provider.find?.(model, { at: longAgo(), input }, call({ credential }));
    expect(await refusalOf(looking ?? Promise.resolve())).toMatchObject({ code: 'provider_server_error' });
  });
};

const describeOrphans = ({ subject, bench }: Suite): void => {
  test(
    'finds all work of a trace, also what nobody knows of',
    async () => {
      const { provider, model, call, follow, submit } = bench();
      if (provider.findAll === undefined || subject.door === undefined) return;
      const since = new Date();
      await bench().causeFault({ operation: 'submit', kind: 'drop_after_accept' });
      await refusalOf(submit());
      const known = operationOf(await submit());
      await submit(call({ trace: 'gen_2/attempt/1' }));
      const { trace } = call();
      const found = await provider.findAll(model, since, { ...call(), traces: [trace, 'gen_3/attempt/1'] });
      expect(found).toHaveLength(2);
      expect(found.map((one) => one.trace)).toEqual([trace, trace]);
      const ids = found.map(({ operation }) => operation.id);
      expect(new Set(ids).size).toBe(2);
      expect(ids).toContain(known.id);
      for (const { operation } of found)
        expect(await follow({ state: 'pending', operation })).toMatchObject({ state: 'succeeded' });
      expect(await bench().countRequests('submit')).toBe(3);
    },
    slowTestMs,
  );
};

const describeAnnouncements = ({ bench }: Suite): void => {
  test(
    'knows its own work in the message that announces its end',
    async () => {
      const { provider, model, call, receiver, submit } = bench();
      if (provider.announces?.(model) !== true) return;
      const { id } = operationOf(await submit(call({ webhookUrl: receiver.url })));
      const callback = await receiver.next();
      const operation = await provider.readCallback?.(model, callback, call());
      if (operation === undefined || operation === 'forged') throw new Error(`not known: ${callback.body}`);
      expect(operation.id).toBe(id);
      expect(await bench().check(operation)).toMatchObject({ state: 'succeeded' });
      const late = { ...callback.headers, 'x-sureshot-received-at': new Date(Date.now() + 3_600_000).toISOString() };
      expect(await provider.readCallback?.(model, { ...callback, headers: late }, call())).toBe('forged');
      expect(await provider.readCallback?.(model, { ...callback, headers: {} }, call())).toBe('forged');
      expect(await bench().countPaid()).toBe(1);
    },
    slowTestMs,
  );
};

/** What every provider adapter does, tried through its real SDK against the emulator. */
export const describeProvider = (name: string, subject: Subject): void => {
  describe(name, () => {
    let current: Bench;
    const suite: Suite = { subject, bench: () => current };
    beforeAll(async () => {
      current = await startBench(subject);
    });
    beforeEach(() => current.reset());
    afterAll(() => current.stop());

    describeResults(suite);
    describeRefusals(suite);
    describePlainHttp(suite);
    describeAmbiguity(suite);
    if (subject.unfiltered !== true) describeFilters(suite);
    if (subject.files === true) describeArtifacts(suite);
    describeRecovery(suite);
    if (subject.synchronous === true) return;
    describeLooks(suite);
    describeCancels(suite);
    describeOrphans(suite);
    describeAnnouncements(suite);
  });
};

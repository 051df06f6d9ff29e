import type { Control } from './support';

export type Submission = {
  provider: string;
  /** What is sent where, as the test names it. */
  name: string;
  send: (url: string, signal?: AbortSignal) => Promise<Response>;
};

const accepted = async (current: Control): Promise<number> => (await current.ledger()).length;

const read = async (answer: Promise<Response>): Promise<ArrayBuffer> => (await answer).arrayBuffer();

/** What every submit of every provider has in common: each kind of fault, and what it leaves in the ledger. */
export const testSubmitFaults = (current: () => Control, { provider, name, send }: Submission): void => {
  const submit = (signal?: AbortSignal): Promise<Response> => send(current().url, signal);

  test.each([
    [{ kind: 'status', status: 503 }, 503],
    [{ kind: 'status', status: 429, retryAfter: 3 }, 429],
    [{ kind: 'html' }, 200],
  ])(`${name}: answers %j and books nothing`, async (fault, status) => {
    await current().addFault({ provider, operation: 'submit', ...fault });
    expect((await submit()).status).toBe(status);
    expect(await accepted(current())).toBe(0);
    expect((await submit()).status).toBe(200);
    expect(await current().ledger()).toMatchObject([{ provider, submits: 1, state: 'succeeded' }]);
  });

  test(`${name}: drops the connection before accepting`, async () => {
    await current().addFault({ provider, kind: 'drop_before_headers' });
    await expect(submit()).rejects.toThrow();
    expect(await accepted(current())).toBe(0);
  });

  test.each(['drop_after_accept', 'truncated_json'])(`${name}: %s books once, the answer is lost`, async (kind) => {
    await current().addFault({ provider, kind });
    await expect(read(submit())).rejects.toThrow();
    expect(await accepted(current())).toBe(1);
  });

  test.each(['slow', 'invalid_json', 'empty_object'])(`${name}: %s books once`, async (kind) => {
    await current().addFault({ provider, kind, delayMs: kind === 'slow' ? 20 : 0 });
    const text = await (await submit()).text();
    expect(text === '{}').toBe(kind === 'empty_object');
    expect(text.endsWith(',,')).toBe(kind === 'invalid_json');
    expect(await accepted(current())).toBe(1);
  });

  test.each(['stall_headers', 'stall_body', 'stuck'])(`${name}: %s books once and keeps waiting`, async (kind) => {
    await current().addFault({ provider, operation: 'submit', kind });
    const giveUp = new AbortController();
    const answer = read(submit(giveUp.signal));
    while ((await accepted(current())) === 0) await fetch(`${current().url}/__emulator/health`);
    giveUp.abort();
    await expect(answer).rejects.toThrow('aborted');
    expect(await accepted(current())).toBe(1);
  });

  test(`${name}: fails with 500 and costs nothing`, async () => {
    await current().addFault({ provider, kind: 'failed' });
    expect((await submit()).status).toBe(500);
    expect(await current().ledger()).toMatchObject([{ state: 'failed', costUsd: '0' }]);
  });

  test(`${name}: accepts, and says 502`, async () => {
    await current().addFault({ provider, kind: 'status', status: 502, accepted: true });
    expect((await submit()).status).toBe(502);
    expect(await accepted(current())).toBe(1);
  });
};

/** Sends JSON like the client of a provider would, and can be told to give up. */
export const sendJson =
  (path: string, body: unknown, headers: Record<string, string>): Submission['send'] =>
  (url, signal) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
      ...(signal === undefined ? {} : { signal }),
    });

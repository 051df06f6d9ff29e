import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { useReceiver, type Received } from './receiver';
import { postJson, readJson, useEmulator } from './support';

const current = useEmulator();
const receiver = useReceiver();
const auth = { 'x-goog-api-key': 'k' };
const veo = 'veo-3.1-fast-generate-preview';

const submitVeo = async (prompt: string, webhookConfig: unknown): Promise<string> => {
  const path = `/google/v1beta/models/${veo}:predictLongRunning`;
  const { name } = await readJson(
    await postJson(`${current().url}${path}`, { instances: [{ prompt }], webhookConfig }, auth),
  );
  return String(name);
};

const interact = async (more: Record<string, unknown>): Promise<Record<string, unknown>> =>
  readJson(
    await postJson(
      `${current().url}/google/v1beta/interactions`,
      { model: 'gemini-omni-1.1-flash', input: 'a paper boat', background: true, ...more },
      auth,
    ),
  );

type Token = { head: Record<string, unknown>; claims: Record<string, unknown>; isGenuine: boolean };

const decode = (part: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;

const readToken = async ({ headers }: Received): Promise<Token> => {
  const [head = '', claims = '', signature = ''] = String(headers['webhook-signature']).split('.');
  const { keys } = (await readJson(await fetch(`${current().url}/google/.well-known/jwks.json`))) as {
    keys: (JsonWebKey & { kid: string })[];
  };
  const key = keys.find(({ kid }) => kid === decode(head)['kid']);
  const isGenuine =
    key !== undefined &&
    verify(
      'sha256',
      Buffer.from(`${head}.${claims}`),
      createPublicKey({ key, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    );
  return { head: decode(head), claims: decode(claims), isGenuine };
};

const owed = async (): Promise<number> =>
  ((await (await fetch(`${current().url}/__emulator/webhooks`)).json()) as { owed: number }).owed;

const settled = async (): Promise<void> => {
  let left = await owed();
  while (left > 0) left = await owed();
};

test('tells every address of a Veo submit, with its metadata and a token that holds the event', async () => {
  const uris = [`${receiver().url}/one`, `${receiver().url}/two`];
  const name = await submitVeo('a paper boat', { uris, userMetadata: { attempt: 'a1' } });
  const id = name.split('/').at(-1) ?? '';
  const deliveries = await receiver().waitFor(2);
  expect(deliveries.map(({ path }) => path).sort()).toEqual(['/one', '/two']);
  for (const delivery of deliveries) {
    expect(delivery.json).toMatchObject({
      type: 'video.generated',
      version: 'v1',
      data: { id, file_name: `files/${id}0` },
      user_metadata: { attempt: 'a1' },
    });
    const { head, claims, isGenuine } = await readToken(delivery);
    expect(isGenuine).toBe(true);
    expect(head).toMatchObject({ alg: 'RS256', kid: expect.any(String) as string });
    expect(claims).toMatchObject({ ...delivery.json, aud: `${receiver().url}${delivery.path}` });
    expect(Math.abs(Number(delivery.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(5);
  }
  const { output_file_uri: uri } = deliveries[0]?.json['data'] as { output_file_uri: string };
  expect((await fetch(uri, { headers: auth })).headers.get('content-type')).toBe('video/mp4');
});

test('has no event for a video that was not made', async () => {
  for (const word of ['[fail]', '[filter]', '[refuse]']) await submitVeo(word, { uris: [receiver().url] });
  await settled();
  expect(receiver().received).toEqual([]);
});

test('keeps the id of a message over its retries', async () => {
  receiver().answers.push(500);
  await submitVeo('a paper boat', { uris: [receiver().url] });
  await settled();
  const ids = receiver().received.map(({ headers }) => headers['webhook-id']);
  expect([ids.length, new Set(ids).size]).toEqual([2, 1]);
});

test('tells how interactions in the background end', async () => {
  const webhook_config = { uris: [receiver().url], user_metadata: { attempt: 'a2' } };
  const done = await interact({ webhook_config });
  await receiver().waitFor(1);
  const failed = await interact({ webhook_config, input: 'a boat [fail]' });
  await receiver().waitFor(2);
  await current().set({ latencyScale: 10 });
  const canceled = await interact({ webhook_config });
  await postJson(`${current().url}/google/v1beta/interactions/${String(canceled['id'])}/cancel`, {}, auth);
  const deliveries = await receiver().waitFor(3);
  expect(deliveries.map(({ json }) => json)).toMatchObject([
    { type: 'interaction.completed', data: { id: done['id'] }, user_metadata: { attempt: 'a2' } },
    { type: 'interaction.failed', data: { id: failed['id'], error_code: 'api_error' } },
    { type: 'interaction.cancelled', data: { id: canceled['id'] } },
  ]);
});

test('says nothing of an interaction that its caller waits for, nor without an address', async () => {
  await interact({ background: false, webhook_config: { uris: [receiver().url] } });
  await interact({ webhook_config: { user_metadata: { attempt: 'a3' } } });
  expect(await owed()).toBe(0);
  expect(receiver().received).toEqual([]);
});

test('sends a forgery ahead of the true one', async () => {
  await current().addFault({ provider: 'google', kind: 'webhook_forged' });
  await submitVeo('a paper boat', { uris: [receiver().url] });
  const tokens = await Promise.all((await receiver().waitFor(2)).map(readToken));
  expect(tokens.map(({ isGenuine }) => isGenuine)).toEqual([false, true]);
  expect(tokens[0]?.head['kid']).toBe(tokens[1]?.head['kid']);
});

test('remembers the marks of a submit in the ledger', async () => {
  await submitVeo('a paper boat', { uris: [receiver().url], userMetadata: { attempt: 'a1' } });
  await interact({ labels: { attempt: 'a2' }, generation_config: { seed: 5 } });
  const marks = (await current().ledger()).map((entry) => entry['marks']);
  expect(marks).toEqual([{ metadata: { attempt: 'a1' } }, { seed: 5, labels: { attempt: 'a2' } }]);
});

import { headersFor } from '../../../src/activities/artifacts';
import { createGoogle } from '../../../src/providers/google';
import { startBench, type Bench } from '../../support/provider-bench';
import { secret } from '../../support/provider-calls';
import { createTransport } from '../../../src/providers/transport';

const transport = createTransport();
let bench: Bench;
let origin: string;

beforeAll(async () => {
  bench = await startBench({
    create: createGoogle,
    model: 'google/veo-3.1-lite-generate-preview',
    input: { durationSeconds: 4, aspectRatio: '16:9', resolution: '720p' },
    basePath: '/google',
    notAccepted: [503],
    magic: /^....ftyp/s,
  });
  await bench.reset();
  origin = new URL(bench.call().credential.baseUrl ?? '').origin;
});

afterAll(async () => {
  await bench.stop();
  await transport.close();
});

const film = async () => {
  const outcome = await bench.follow(await bench.submit());
  const output = outcome.state === 'succeeded' ? outcome.outputs[0] : undefined;
  if (output?.kind !== 'url') throw new Error('no film to download');
  return output;
};

const download = async (url: string, headers: Record<string, string>): Promise<Buffer> => {
  const limits = { deadlineMs: 5_000, maximumBytes: 10_000_000, allowedOrigin: origin };
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await transport.download(url, { ...limits, headers })).body) chunks.push(chunk);
  return Buffer.concat(chunks);
};

test('opens a film with the key, and only with it', async () => {
  const output = await film();
  expect(output.credentialHeader).toEqual({ name: 'x-goog-api-key', scheme: null });
  const bytes = await download(output.url, headersFor(output, bench.call().credential));
  expect(bytes.subarray(4, 8).toString('latin1')).toBe('ftyp');
  await expect(download(output.url, {})).rejects.toMatchObject({ fault: 'gone', status: 403 });
});

test.each([
  [{ name: 'x-goog-api-key', scheme: null }, { 'x-goog-api-key': secret }],
  [{ name: 'authorization', scheme: 'Bearer' }, { authorization: `Bearer ${secret}` }],
] as const)('fills %j with the key', (credentialHeader, expected) => {
  const link = { kind: 'url', url: 'https://x.example/a', contentType: null, credentialHeader } as const;
  expect(headersFor({ ...link, headers: { a: 'b' } }, bench.call().credential)).toEqual({ a: 'b', ...expected });
  expect(() => headersFor(link, null)).toThrow('not configured');
});

test('gives the key to nobody who did not ask for it', () => {
  const link = { kind: 'url', url: 'https://x.example/a', contentType: null } as const;
  expect(headersFor(link, bench.call().credential)).toEqual({});
});

test('keeps no key in what is stored of an outcome', async () => {
  expect(JSON.stringify(await film())).not.toContain(secret);
});

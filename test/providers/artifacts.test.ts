import { startEmulator } from '../../src/emulator/server';
import { createFal } from '../../src/providers/fal';
import type { Outcome } from '../../src/providers/provider';
import { createTransport } from '../../src/providers/transport';
import { makeCall, makeInput, modelOf } from '../support/provider-calls';

const transport = createTransport();
const fal = createFal(transport);
let emulator: Awaited<ReturnType<typeof startEmulator>>;

const control = (path: string, body: unknown) =>
  fetch(`${emulator.url}/__emulator/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

beforeAll(async () => {
  emulator = await startEmulator({ port: 0 });
  await control('settings', { latencyScale: 0 });
});

afterAll(async () => {
  await transport.close();
  await emulator.close();
});

const makeImage = async (): Promise<string> => {
  const model = modelOf('fal/fast-sdxl');
  const call = makeCall(`${emulator.url}/fal`, { deadlineMs: 10_000 });
  let outcome: Outcome | undefined = await fal.submit(model, makeInput({ size: '512x512' }), call);
  while (outcome?.state === 'pending') outcome = await fal.check?.(model, outcome.operation, call);
  const output = outcome?.state === 'succeeded' ? outcome.outputs[0] : undefined;
  if (output?.kind !== 'url') throw new Error('no image to download');
  return output.url;
};

const readAll = async (url: string): Promise<number> => {
  const limits = { deadlineMs: 2_000, maximumBytes: 5_000_000, allowedOrigin: `${emulator.url}/fal` };
  let sizeBytes = 0;
  for await (const chunk of (await transport.download(url, limits)).body) sizeBytes += chunk.byteLength;
  return sizeBytes;
};

test('downloads what the provider made', async () => {
  expect(await readAll(await makeImage())).toBeGreaterThan(1_000);
}, 15_000);

test.each([
  ['artifact_expired', 'gone'],
  ['artifact_truncated', 'truncated'],
  ['artifact_wrong_length', 'truncated'],
  ['artifact_oversized', 'too_large'],
])(
  'calls %s %s',
  async (kind, fault) => {
    const url = await makeImage();
    await control('faults', { provider: 'fal', operation: 'artifact', kind, times: 1 });
    await expect(readAll(url)).rejects.toMatchObject({ fault });
    expect(await readAll(url)).toBeGreaterThan(1_000);
  },
  15_000,
);

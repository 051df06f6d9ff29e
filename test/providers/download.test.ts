import type { DownloadSettings } from '../../src/providers/download';
import { createTransport, type Transport } from '../../src/providers/transport';
import { startRecordingServer, type RecordingServer } from '../support/recording-server';

let server: RecordingServer;
let transport: Transport;

beforeEach(async () => {
  server = await startRecordingServer((response) =>
    response.writeHead(200, { 'content-type': 'video/mp4' }).end('film'),
  );
  transport = createTransport();
});

afterEach(async () => {
  await transport.close();
  await server.close();
});

const fetchAll = async (path: string, overrides: Partial<DownloadSettings> = {}): Promise<string> => {
  const settings = { deadlineMs: 2_000, maximumBytes: 1_000, allowedOrigin: server.url, ...overrides };
  const { body } = await transport.download(new URL(path, server.url).href, settings);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
};

test('streams an artifact and its headers', async () => {
  const { status, headers, body } = await transport.download(`${server.url}/a.mp4`, {
    deadlineMs: 1_000,
    maximumBytes: 100,
    allowedOrigin: `${server.url}/fal`,
    headers: { 'x-goog-api-key': 'k' },
  });
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('video/mp4');
  for await (const chunk of body) expect(Buffer.from(chunk).toString('utf8')).toBe('film');
  expect(server.requests).toMatchObject([{ headers: { 'x-goog-api-key': 'k' } }]);
});

test.each([
  'https://127.0.0.1/a',
  'https://10.1.2.3/a',
  'https://169.254.169.254/latest/meta-data',
  'https://[::1]/a',
  'https://[::ffff:192.168.0.1]/a',
  'https://[fd00::1]/a',
  'https://localhost/a',
  'http://example.com/a',
  'file:///etc/passwd',
  'no url at all',
])('refuses to fetch from %s', async (url) => {
  await expect(transport.download(url, { deadlineMs: 1_000, maximumBytes: 10 })).rejects.toMatchObject({
    fault: 'refused',
  });
});

test('refuses the loopback address when another origin is the allowed one', async () => {
  await expect(fetchAll('/a', { allowedOrigin: 'http://127.0.0.1:1' })).rejects.toMatchObject({ fault: 'refused' });
  expect(server.requests).toHaveLength(0);
});

test('checks every hop of a redirect', async () => {
  server.answer((response) => response.writeHead(302, { location: 'http://127.0.0.1:1/secret' }).end());
  await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'refused' });
});

test('follows three redirects and not a fourth', async () => {
  const hop = (to: string) => (response: import('node:http').ServerResponse) =>
    void response.writeHead(302, { location: to }).end();
  server.answer(hop('/b'), hop('/c'), hop('/d'), (response) => response.end('there'));
  expect(await fetchAll('/a')).toBe('there');
  server.answer(hop('/b'));
  await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'status' });
  expect(server.requests).toHaveLength(4);
});

test.each([403, 404, 410])('says that an artifact is gone on %d', async (status) => {
  server.answer((response) => response.writeHead(status).end('no'));
  await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'gone', status });
});

test('says which other status came', async () => {
  server.answer((response) => response.writeHead(500).end('no'));
  await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'status', status: 500 });
});

test('notices a body shorter than announced', async () => {
  server.answer((response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => response.destroy());
  });
  await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'truncated' });
});

test('stops at the size limit, announced or not', async () => {
  server.answer((response) => response.writeHead(200, { 'content-length': '5000' }).end('x'.repeat(5_000)));
  await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'too_large' });
  server.answer((response) => {
    response.write('x'.repeat(2_500));
    response.end('x'.repeat(2_500));
  });
  await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'too_large' });
});

test('gives up on a body that stalls', async () => {
  server.answer((response) => response.writeHead(200).write('half'));
  await expect(fetchAll('/a', { deadlineMs: 300 })).rejects.toMatchObject({ fault: 'stalled' });
});

test('gives up when nobody is there', async () => {
  await expect(fetchAll('/a', { allowedOrigin: 'http://127.0.0.1:1' })).rejects.toMatchObject({ fault: 'refused' });
  const { url } = server;
  await server.close();
  await expect(
    transport.download(`${url}/a`, { deadlineMs: 1_000, maximumBytes: 10, allowedOrigin: url }),
  ).rejects.toMatchObject({ fault: 'unreachable' });
});

test('stops when the caller does', async () => {
  const controller = new AbortController();
  server.answer(() => controller.abort());
  await expect(fetchAll('/a', { signal: controller.signal })).rejects.toMatchObject({ fault: 'aborted' });
});

test('never repeats the URL in an error', async () => {
  server.answer((response) => response.writeHead(404).end('no'));
  await expect(fetchAll('/a?signature=abc')).rejects.toThrow(/^(?!.*signature)/);
});

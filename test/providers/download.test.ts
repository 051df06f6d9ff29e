import type { DownloadSettings } from '../../src/providers/download';
import { createTransport, type Transport } from '../../src/providers/transport';
import { startRecordingServer, type Answering, type RecordingServer } from '../support/recording-server';

let server: RecordingServer;
let transport: Transport;
/** What happens once so many bytes have arrived. */
let cuts: Map<number, () => void>;

beforeEach(async () => {
  cuts = new Map();
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
  for await (const chunk of body) {
    chunks.push(chunk);
    cuts.get(Buffer.concat(chunks).length)?.();
  }
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

describe('a body that breaks off', () => {
  const film = 'f'.repeat(400) + 'i'.repeat(300) + 'l'.repeat(200) + 'm'.repeat(100);
  const whole = { 'content-length': '1000', etag: '"one"' };

  /** Sends so much; when it has arrived the connection is gone. */
  const breaking =
    (from: number, to: number, head: Record<string, string> = whole, status = 200): Answering =>
    (response) => {
      response.writeHead(status, head).write(film.slice(from, to));
      cuts.set(to, () => response.destroy());
    };

  const partFrom = (from: number, more: Record<string, string> = {}) => ({
    'content-length': String(1_000 - from),
    'content-range': `bytes ${from}-999/1000`,
    etag: '"one"',
    ...more,
  });

  const rest =
    (from: number, more: Record<string, string> = {}): Answering =>
    (response) =>
      void response.writeHead(206, partFrom(from, more)).end(film.slice(from));

  const rangesAsked = (): unknown[] =>
    server.requests.map(({ headers }) => [headers.range ?? null, headers['if-range'] ?? null]);

  test('goes on where it broke off, with the same headers', async () => {
    server.answer(breaking(0, 400), rest(400));
    expect(await fetchAll('/a', { headers: { 'x-goog-api-key': 'k' } })).toBe(film);
    expect(rangesAsked()).toEqual([
      [null, null],
      ['bytes=400-', '"one"'],
    ]);
    expect(server.requests[1]?.headers['x-goog-api-key']).toBe('k');
  });

  test('goes on as often as it breaks off, five times at most', async () => {
    server.answer(breaking(0, 400), breaking(400, 700, partFrom(400), 206), rest(700));
    expect(await fetchAll('/a')).toBe(film);
    server.answer(
      breaking(0, 100),
      ...[1, 2, 3, 4, 5].map((hundred) => breaking(hundred * 100, hundred * 100 + 100, partFrom(hundred * 100), 206)),
      rest(600),
    );
    await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'truncated' });
    expect(server.requests).toHaveLength(6);
  });

  test.each<[string, Answering]>([
    ['begins anew', (response) => void response.writeHead(200, whole).end(film)],
    ['sends another part', rest(300)],
    ['has other bytes by now', rest(400, { etag: '"two"' })],
    ['has more bytes by now', rest(400, { 'content-range': 'bytes 400-1999/2000' })],
    ['knows no such range', (response) => void response.writeHead(416, {}).end()],
    ['is gone', (response) => void response.writeHead(404, {}).end('no')],
    ['does not answer', (response) => void response.destroy()],
  ])('is truncated where the server %s', async (_name, second) => {
    server.answer(breaking(0, 400), second);
    await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'truncated' });
    expect(server.requests).toHaveLength(2);
  });

  test.each<[string, Record<string, string>]>([
    ['nothing', { 'content-length': '1000' }],
    ['a weak tag', { 'content-length': '1000', etag: 'W/"one"' }],
    ['no length', { etag: '"one"' }],
  ])('is not asked for the rest where %s vouches for the same bytes', async (_name, head) => {
    server.answer(breaking(0, 400, head), rest(400));
    await expect(fetchAll('/a')).rejects.toMatchObject({ fault: 'truncated' });
    expect(server.requests).toHaveLength(1);
  });

  test('counts the whole against the size limit', async () => {
    server.answer(breaking(0, 400, { ...whole, 'content-length': '900' }), rest(400));
    const withinLimit = fetchAll('/a', { maximumBytes: 950 });
    await expect(withinLimit).rejects.toMatchObject({ fault: 'truncated' });
    server.answer(breaking(0, 400), rest(400));
    await expect(fetchAll('/a', { maximumBytes: 999 })).rejects.toMatchObject({ fault: 'too_large' });
  });

  test('resumes what stalls, while its deadline lasts', async () => {
    const stalling: Answering = (response) => {
      response.writeHead(200, whole);
      response.write(film.slice(0, 400));
    };
    server.answer(stalling, rest(400));
    expect(await fetchAll('/a', { stallMs: 200, deadlineMs: 20_000 })).toBe(film);
    server.answer(stalling, rest(400));
    await expect(fetchAll('/a', { deadlineMs: 300 })).rejects.toMatchObject({ fault: 'stalled' });
    expect(server.requests).toHaveLength(1);
  });

  test('goes on behind a redirect, with a fresh one', async () => {
    const away =
      (to: string): Answering =>
      (response) =>
        void response.writeHead(302, { location: to }).end();
    server.answer(away('/one'), breaking(0, 400), away('/two'), rest(400));
    expect(await fetchAll('/a')).toBe(film);
    expect(server.requests.map(({ path }) => path)).toEqual(['/a', '/one', '/a', '/two']);
  });
});

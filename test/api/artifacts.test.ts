import { startApi, videoRequest, type ApiServer } from './api-server';

let api: ApiServer;
let id: string;

const bytes = 'the quick brown fox';

const addArtifact = async (index: number, contentType: string, key = `${id}/1/${index}`): Promise<void> => {
  const { sha256 } = await api.blobs.write(`${id}/1/${index}`, Buffer.from(bytes));
  const artifact = { contentType, sha256, key, bytes: bytes.length, attempt: 1 };
  await api.database.artifact.create({ data: { generationId: id, index, ...artifact } });
};

beforeAll(async () => {
  api = await startApi();
  id = (await api.call('POST /v1/generations', videoRequest)).body.id;
  await addArtifact(0, 'video/mp4');
  await addArtifact(1, 'text/html; charset=utf-8');
  await addArtifact(2, 'image/png', 'nowhere/at/all');
});

afterAll(() => api.close());

const get = (index: number | string, headers: Record<string, string> = {}) =>
  api.call(`GET /v1/generations/${id}/artifacts/${index}`, undefined, headers);

test('sends the bytes with type, name and hash', async () => {
  const answer = await get(0);
  expect(answer).toMatchObject({ status: 200, body: bytes });
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'video/mp4',
    'content-disposition': `inline; filename="${id}-0.mp4"`,
    'content-length': String(bytes.length),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'private, no-cache',
    'accept-ranges': 'bytes',
    etag: expect.stringMatching(/^"[0-9a-f]{64}"$/) as string,
  });
  expect(answer.headers.get('x-request-id')).toBeTruthy();
});

test.each([
  ['bytes=4-8', 'quick', 'bytes 4-8/19'],
  ['bytes=16-', 'fox', 'bytes 16-18/19'],
  ['bytes=-3', 'fox', 'bytes 16-18/19'],
])('sends the range %s', async (range, part, contentRange) => {
  const answer = await get(0, { Range: range });
  expect(answer).toMatchObject({ status: 206, body: part });
  expect(answer.headers.get('content-range')).toBe(contentRange);
});

test('refuses a range beyond the end', async () => {
  const answer = await get(0, { Range: 'bytes=100-' });
  expect(answer).toMatchObject({ status: 416, body: { status: 416, code: 'caller_malformed' } });
  expect(answer.headers.get('content-range')).toBe('bytes */19');
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('content-disposition')).toBeNull();
});

test('does not send again what the caller has', async () => {
  const etag = (await get(0)).headers.get('etag') as string;
  // fetch itself would ask for no-cache, which means the whole of it
  const revalidate = { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' };
  expect(await get(0, revalidate)).toMatchObject({ status: 304, body: '' });
  expect((await get(0, { Range: 'bytes=0-2', 'If-Range': etag })).status).toBe(206);
  expect((await get(0, { Range: 'bytes=0-2', 'If-Range': '"other"' })).status).toBe(200);
});

test('answers HEAD without the bytes', async () => {
  const answer = await api.call(`HEAD /v1/generations/${id}/artifacts/0`);
  expect(answer).toMatchObject({ status: 200, body: '' });
  expect(answer.headers.get('content-length')).toBe(String(bytes.length));
});

test('never shows as a page what a provider sent as one', async () => {
  const answer = await get(1);
  expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${id}-1.bin"`);
});

test.each(['3', '99999999999', '-1', 'x', '0.5'])('answers 404 for artifact %s', async (index) => {
  expect(await get(index)).toMatchObject({ status: 404, body: { code: 'caller_not_found' } });
});

test('is our fault when the bytes are gone', async () => {
  const answer = await get(2);
  expect(answer).toMatchObject({ status: 500, body: { code: 'system_internal' } });
  expect(JSON.stringify(answer.body)).not.toContain('nowhere');
  expect(answer.headers.get('etag')).toBeNull();
});

import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { mediaBytes, otherBytes, pngOf, sha256Of } from '../support/media-bytes';
import { eventually } from '../support/stack';
import { adminKey, startApi, withKey, type Answer, type ApiServer } from './api-server';

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

const megabyte = 1024 * 1024;
const raw = (bytes: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> =>
  api.call('POST /v1/uploads', bytes, { 'Content-Type': 'application/octet-stream', ...headers });

const formWith = (...files: Uint8Array[]): FormData => {
  const form = new FormData();
  for (const bytes of files) form.append('file', new Blob([new Uint8Array(bytes)]), 'a file.bin');
  return form;
};

const state = async () => ({ keys: await api.blobKeys(), rows: await api.database.upload.count() });

const leavesNothing = async (act: () => Promise<Answer>): Promise<Answer> => {
  const before = await state();
  const answer = await act();
  expect(await state()).toEqual(before);
  return answer;
};

test.each(Object.entries(mediaBytes))('takes %s as it is, whatever it is called', async (contentType, bytes) => {
  const answers = [
    await raw(bytes, { 'Content-Type': 'text/plain' }),
    await api.call('POST /v1/uploads', formWith(bytes)),
  ];
  for (const { status, body } of answers) {
    expect({ status, body }).toEqual({
      status: 201,
      body: {
        id: expect.stringMatching(/^upl_[0-9A-Z]{26}$/) as string,
        contentType,
        bytes: bytes.length,
        sha256: sha256Of(bytes),
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      },
    });
    const row = await api.database.upload.findUniqueOrThrow({ where: { id: body.id } });
    expect(await api.blobs.inspect(row.key)).toEqual({ bytes: bytes.length, sha256: sha256Of(bytes) });
  }
});

test.each(Object.entries(otherBytes))('refuses what is no image or video: %s', async (_name, bytes) => {
  for (const act of [
    () => raw(bytes, { 'Content-Type': 'image/png' }),
    () => api.call('POST /v1/uploads', formWith(bytes)),
  ]) {
    const { status, body } = await leavesNothing(act);
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'caller_invalid_request' });
    expect(body.detail).toMatch(/image\/png.*video\/mp4/);
  }
});

test.each<[string, () => Promise<Answer>, RegExp]>([
  ['an empty body', () => raw(new Uint8Array()), /is empty/],
  ['an empty file', () => api.call('POST /v1/uploads', formWith(new Uint8Array())), /is empty/],
  ['a form without a file', () => api.call('POST /v1/uploads', formWith()), /one file/],
  [
    'two files',
    () => api.call('POST /v1/uploads', formWith(mediaBytes['image/png'], mediaBytes['image/gif'])),
    /one file/,
  ],
  [
    'another field beside the file',
    () => {
      const form = formWith(mediaBytes['image/png']);
      form.append('purpose', 'fun');
      return api.call('POST /v1/uploads', form);
    },
    /no other field/,
  ],
])('refuses %s', async (_name, act, detail) => {
  const { status, body } = await leavesNothing(act);
  expect({ status, code: body.code }).toEqual({ status: 422, code: 'caller_invalid_request' });
  expect(body.detail).toMatch(detail);
});

test.each<[string, string, Record<string, string>]>([
  ['a form without a boundary', 'x', { 'Content-Type': 'multipart/form-data' }],
  ['a form that is none', 'x', { 'Content-Type': 'multipart/form-data; boundary=b' }],
  [
    'a form that stops in the middle',
    '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x89PNG\r\n',
    { 'Content-Type': 'multipart/form-data; boundary=b' },
  ],
  ['a compressed body', 'x', { 'Content-Type': 'image/png', 'Content-Encoding': 'gzip' }],
])('cannot read %s', async (_name, body, headers) => {
  const answer = await leavesNothing(() => api.call('POST /v1/uploads', body, headers));
  expect(answer).toMatchObject({ status: 400, body: { code: 'caller_malformed' } });
});

test('takes exactly 100 MB', async () => {
  const bytes = pngOf(100 * megabyte);
  expect(await raw(bytes)).toMatchObject({ status: 201, body: { bytes: bytes.length, sha256: sha256Of(bytes) } });
});

describe('more than 100 MB', () => {
  const bytes = pngOf(100 * megabyte + 1);

  test('is refused by its announced length', async () => {
    const answer = await leavesNothing(() => raw(bytes));
    expect(answer).toMatchObject({ status: 413, body: { code: 'caller_payload_too_large' } });
  });

  test('is refused in a form', async () => {
    const answer = await leavesNothing(() => api.call('POST /v1/uploads', formWith(bytes)));
    expect(answer).toMatchObject({ status: 413, body: { code: 'caller_payload_too_large' } });
  });

  test('is refused once it has come, where its length was not announced', async () => {
    const pieces = Array.from({ length: 101 }, (_, index) => bytes.subarray(index * megabyte, (index + 1) * megabyte));
    const send = (): Promise<Response> =>
      fetch(`${api.url}/v1/uploads`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${adminKey}` },
        body: Readable.toWeb(Readable.from(pieces)) as ReadableStream,
        duplex: 'half',
      });
    const before = await state();
    const response = await send();
    expect(response.status).toBe(413);
    expect(await state()).toEqual(before);
  });
});

test.each([
  ['a raw body', 'application/octet-stream', ''],
  [
    'a form',
    'multipart/form-data; boundary=b',
    '--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n',
  ],
])('a client that hangs up in the middle of %s leaves nothing', async (_name, type, head) => {
  const before = await state();
  const seen = api.log.length;
  const headers = { Authorization: `Bearer ${adminKey}`, 'Content-Type': type, 'Content-Length': String(megabyte) };
  const sending = httpRequest(`${api.url}/v1/uploads`, { method: 'POST', headers });
  sending.on('error', () => undefined);
  sending.write(Buffer.concat([Buffer.from(head), pngOf(megabyte / 2)]));
  await eventually(async () => (await api.blobKeys()).some((key) => key.endsWith('.part')));
  sending.destroy();
  await eventually(() => Promise.resolve(api.log.slice(seen).some((line) => line.includes('/v1/uploads'))));
  await eventually(async () => (await api.blobKeys()).length === before.keys.length);
  expect(await state()).toEqual(before);
});

test('belongs to who may submit', async () => {
  const reader = await api.addKey({ scopes: ['read'] });
  const answer = await leavesNothing(() => raw(mediaBytes['image/png'], withKey(reader)));
  expect(answer).toMatchObject({ status: 403, body: { code: 'caller_forbidden' } });
});

test('has no other method', async () => {
  expect(await api.call('GET /v1/uploads')).toMatchObject({ status: 405, body: { code: 'caller_malformed' } });
});

test('a row that cannot be written leaves no bytes', async () => {
  const broken = await startApi();
  await broken.database.$executeRaw`DROP TABLE uploads`;
  const answer = await broken.call('POST /v1/uploads', mediaBytes['image/png']);
  expect(answer).toMatchObject({ status: 500, body: { code: 'system_internal' } });
  expect(await broken.blobKeys()).toEqual([]);
  await broken.close();
});

import { request as httpRequest, type ClientRequest } from 'node:http';
import { mediaBytes, otherBytes, pngOf, sha256Of } from '../support/media-bytes';
import { makeModel } from '../support/generation-data';
import { eventually } from '../support/stack';
import { adminKey, endGeneration, startApi, withKey, type Answer, type ApiServer } from './api-server';

let api: ApiServer;

const megabyte = 1024 * 1024;
const base = makeModel().capabilities;

/** Takes everything there is, but no GIF, and no image above 20 MB. */
const model = makeModel({
  capabilities: {
    ...base,
    from: ['text', 'image', 'video'],
    imageFiles: { types: ['image/png', 'image/jpeg'], maximumBytes: 20 * megabyte },
    videoFiles: { types: ['video/mp4'], maximumBytes: 50 * megabyte },
    lastFrame: true,
    referenceImages: { minimum: 0, maximum: 3, step: 1 },
  },
});

beforeAll(async () => {
  api = await startApi({ catalogue: [model], configured: new Set(['acme']) });
});

afterAll(() => api.close());

const post = (input: object, headers: Record<string, string> = {}): Promise<Answer> =>
  api.call('POST /v1/generations', { medium: 'video', input: { prompt: 'a kite', ...input } }, headers);

const inline = (bytes: Buffer, contentType = 'image/png'): object => ({
  base64: bytes.toString('base64'),
  contentType,
});

const upload = async (bytes: Uint8Array, headers: Record<string, string> = {}): Promise<string> => {
  const { status, body } = await api.call('POST /v1/uploads', bytes, { 'Content-Type': 'image/png', ...headers });
  expect(status).toBe(201);
  return body.id;
};

const requestOf = async (id: string) =>
  (await api.database.generation.findUniqueOrThrow({ where: { id } })).request as {
    input: Record<'image' | 'lastFrame' | 'video', { origin: object; stored: { key: string } | null }> & {
      referenceImages: { stored: { key: string } }[];
    };
  };

/** A generation with one artifact. */
const make = async (bytes: Uint8Array, { status = 'succeeded', contentType = 'image/png', headers = {} } = {}) => {
  const { id } = (await post({}, headers)).body;
  const key = `generations/${id}/1/0`;
  const stored = await api.blobs.write(key, bytes);
  await api.database.artifact.create({ data: { generationId: id, index: 0, attempt: 1, key, contentType, ...stored } });
  await endGeneration(api.database, id, status);
  return { id, key };
};

const leavesNothing = async (act: () => Promise<Answer>): Promise<Answer> => {
  const state = async () => ({ keys: (await api.blobKeys()).sort(), rows: await api.database.generation.count() });
  const before = await state();
  const answer = await act();
  expect(await state()).toEqual(before);
  return answer;
};

const refuses = async (input: object, pointer: string, detail: RegExp): Promise<void> => {
  const { status, body } = await leavesNothing(() => post(input));
  expect({ status, code: body.code }).toEqual({ status: 422, code: 'caller_invalid_request' });
  expect(body.errors).toEqual([{ pointer, detail: expect.stringMatching(detail) as string }]);
};

describe('media within the request', () => {
  test('are in the blob store before the answer, and nowhere else', async () => {
    const bytes = { image: pngOf(1_000), lastFrame: pngOf(2_000), video: mediaBytes['video/mp4'] };
    const references = [pngOf(3_000), mediaBytes['image/jpeg']];
    const { status, body } = await post({
      image: inline(bytes.image),
      lastFrame: inline(bytes.lastFrame),
      referenceImages: [inline(references[0] as Buffer), inline(references[1] as Buffer, 'image/jpeg')],
      video: inline(bytes.video, 'video/mp4'),
    });
    expect(status).toBe(202);
    expect(body.input).toMatchObject({
      image: { contentType: 'image/png', bytes: 1_000 },
      lastFrame: { contentType: 'image/png', bytes: 2_000 },
      referenceImages: [
        { contentType: 'image/png', bytes: 3_000 },
        { contentType: 'image/jpeg', bytes: references[1]?.length },
      ],
      video: { contentType: 'video/mp4', bytes: bytes.video.length },
    });
    const { input } = await requestOf(body.id);
    for (const slot of ['image', 'lastFrame', 'video'] as const) {
      const key = `inputs/${body.id}/${slot}`;
      expect(input[slot]).toMatchObject({ origin: { inline: true }, stored: { key, sha256: sha256Of(bytes[slot]) } });
      expect((await api.blobs.inspect(key))?.sha256).toBe(sha256Of(bytes[slot]));
    }
    expect(input.referenceImages.map(({ stored }) => stored.key)).toEqual(
      [0, 1].map((index) => `inputs/${body.id}/referenceImages/${index}`),
    );
    expect(JSON.stringify([input, body])).not.toContain(bytes.image.toString('base64').slice(0, 40));
    expect(JSON.stringify(body)).not.toContain('inputs/');
  });

  test('may have 20 MB', async () => {
    const bytes = 20 * megabyte;
    const { status, body } = await post({ image: inline(pngOf(bytes)) });
    expect({ status, image: body.input.image }).toEqual({ status: 202, image: { contentType: 'image/png', bytes } });
  });

  test('are not kept of a request that is refused', async () => {
    await refuses({ image: inline(pngOf(1_000)), durationSeconds: 7 }, '/input/durationSeconds', /one of 4, 8/);
    await refuses({ lastFrame: inline(pngOf(1_000)) }, '/input/lastFrame', /needs image/);
  });

  test('are judged by what the model takes', async () => {
    const gif = inline(mediaBytes['image/gif'], 'image/gif');
    await refuses({ image: gif }, '/input/image', /is image\/gif; accepted are image\/png, image\/jpeg/);
  });

  test('are kept once for one Idempotency-Key', async () => {
    const headers = { 'Idempotency-Key': 'inline' };
    const input = { image: inline(pngOf(5_000)) };
    const before = new Set(await api.blobKeys());
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(input, headers)));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const added = (await api.blobKeys()).filter((key) => !before.has(key));
    expect(added).toEqual([`inputs/${answers[0]?.body.id}/image`]);
    expect((await leavesNothing(() => post(input, headers))).status).toBe(202);
    expect((await leavesNothing(() => post({ image: inline(pngOf(6_000)) }, headers))).status).toBe(422);
  });
});

describe('an upload', () => {
  test('is what its bytes are, wherever an input takes media', async () => {
    const [image, video] = [await upload(mediaBytes['image/jpeg']), await upload(mediaBytes['video/mp4'])];
    const { status, body } = await post({ image: { upload: image }, video: { upload: video } });
    expect(status).toBe(202);
    expect(body.input).toMatchObject({
      image: { upload: image, contentType: 'image/jpeg', bytes: mediaBytes['image/jpeg'].length },
      video: { upload: video, contentType: 'video/mp4' },
    });
    const { input } = await requestOf(body.id);
    expect(input.image).toMatchObject({ origin: { upload: image }, stored: { key: `uploads/${image}` } });
  });

  test('of another tenant is one that does not exist', async () => {
    const headers = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['submit'] }));
    const theirs = await upload(pngOf(1_000), headers);
    await refuses({ image: { upload: theirs } }, '/input/image/upload', /^is not the id of an upload$/);
    await refuses({ image: { upload: 'upl_0' } }, '/input/image/upload', /^is not the id of an upload$/);
  });

  test('of a video is no image, and one of an image no video', async () => {
    const [image, video] = [await upload(pngOf(100)), await upload(mediaBytes['video/mp4'])];
    await refuses({ image: { upload: video } }, '/input/image/upload', /is video\/mp4; accepted are image\/png/);
    await refuses({ video: { upload: image } }, '/input/video/upload', /is image\/png; accepted are video\/mp4/);
    const references = { referenceImages: [{ upload: image }, { upload: video }] };
    await refuses(references, '/input/referenceImages/1/upload', /is video\/mp4/);
  });

  test('that is too large for the model is refused with the limit', async () => {
    const large = await upload(pngOf(21 * megabyte));
    await refuses({ image: { upload: large } }, '/input/image', /at most 20 MB, has 21 MB/);
  });
});

describe('an earlier artifact', () => {
  test('is taken where it is kept, as what its bytes are', async () => {
    const { id, key } = await make(mediaBytes['image/jpeg'], { contentType: 'application/octet-stream' });
    const { status, body } = await post({ image: { generation: id } });
    expect({ status, image: body.input.image }).toEqual({
      status: 202,
      image: { generation: id, index: 0, contentType: 'image/jpeg', bytes: mediaBytes['image/jpeg'].length },
    });
    expect((await requestOf(body.id)).input.image.stored).toMatchObject({ key });
  });

  const place = '/input/image/generation';

  test.each(['running', 'failed', 'canceled', 'expired'])('of a generation that is %s is none', async (status) => {
    const { id } = await make(pngOf(100), { status });
    await refuses({ image: { generation: id } }, place, new RegExp(`must have succeeded; it is ${status}`));
  });

  test('must be there', async () => {
    const { id, key } = await make(pngOf(100));
    await refuses({ image: { generation: id, index: 1 } }, place, /has no artifact 1/);
    await refuses({ image: { generation: 'gen_0' } }, place, /^is not the id of a generation$/);
    await api.blobs.remove(key);
    await refuses({ image: { generation: id } }, place, /artifact 0 is not kept any more/);
  });

  test('must be of the tenant who asks', async () => {
    const headers = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['submit'] }));
    const { id } = await make(pngOf(100), { headers });
    await refuses({ image: { generation: id } }, place, /^is not the id of a generation$/);
  });

  test('must be of the kind that is wanted', async () => {
    const { id } = await make(mediaBytes['video/mp4'], { contentType: 'image/png' });
    await refuses({ image: { generation: id } }, place, /is video\/mp4; accepted are image/);
    const text = await make(otherBytes.text, { contentType: 'text/plain' });
    await refuses({ image: { generation: text.id } }, place, /is text\/plain/);
    expect((await post({ video: { generation: id } })).status).toBe(202);
  });
});

test('media by address are accepted as they are named, and fetched later', async () => {
  const url = 'https://images.example.com/a.png?signature=abc';
  const { status, body } = await post({ image: { url }, lastFrame: { url } });
  expect({ status, image: body.input.image }).toEqual({ status: 202, image: { url } });
  expect((await requestOf(body.id)).input.image).toEqual({ origin: { url }, stored: null });
  expect((await api.blobKeys()).filter((key) => key.includes(body.id))).toEqual([]);
  expect(api.log.join('')).not.toContain('signature');
});

describe('large bodies', () => {
  const announce = (megabytes: number): ClientRequest => {
    const headers = { Authorization: `Bearer ${adminKey}`, 'Content-Type': 'application/json' };
    const length = { 'Content-Length': String(megabytes * megabyte) };
    const sending = httpRequest(`${api.url}/v1/generations`, { method: 'POST', headers: { ...headers, ...length } });
    sending.on('error', () => undefined).write('{');
    return sending;
  };

  const statusOf = (sending: ClientRequest): Promise<number> =>
    new Promise((resolve) => {
      sending.once('response', ({ statusCode = 0 }) => resolve(statusCode));
    });

  /** Three have room, and are waited for; whichever comes fourth is told. Small ones always have. */
  const announceFour = async () => {
    const sendings = [70, 70, 70, 70].map(announce);
    const answered: number[] = [];
    await Promise.race(sendings.map(async (sending) => answered.push(await statusOf(sending))));
    expect((await post({})).status).toBe(202);
    return { sendings, answered };
  };

  test('are refused while there is no room for more of them, and small ones never', async () => {
    const { sendings, answered } = await announceFour();
    expect(answered).toEqual([503]);
    for (const sending of sendings) sending.destroy();
    await eventually(async () => (await post({ image: inline(pngOf(20 * megabyte)) })).status === 202);
  });

  test('of those who hang up before their key was looked at are not counted for ever', async () => {
    const seen = api.log.length;
    await api.database.$transaction(
      async (transaction) => {
        await transaction.$executeRaw`LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE`;
        const sendings = [70, 70, 70].map(announce);
        await eventually(async () => {
          const waiting = await transaction.$queryRaw<[]>`
            SELECT FROM pg_locks WHERE NOT granted AND relation = 'api_keys'::regclass`;
          return waiting.length >= 3;
        });
        for (const sending of sendings) sending.destroy();
        await eventually(() => Promise.resolve(api.log.length >= seen + 3));
      },
      { timeout: 30_000 },
    );
    const { sendings, answered } = await announceFour();
    expect(answered).toEqual([503]);
    for (const sending of sendings) sending.destroy();
  });
});

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { json, startRecordingServer, type RecordingServer } from '../support/recording-server';
import { at, generation, problem } from './answers';
import { call, makeFolder, removeFolder, run, start, untilSaid } from './command-line';

let server: RecordingServer;
const folder = makeFolder();

beforeAll(async () => {
  server = await startRecordingServer(json({}));
});

afterAll(async () => {
  await server.close();
  removeFolder(folder);
});

const key = 'sk_test_of_the_command_line';

const fileOf = (name: string): string => path.join(folder, name);

const ask = (words: readonly string[]) =>
  call([...words, '--url', server.url], { SURESHOT_API_KEY: key, SURESHOT_HOME: folder });

const bodies = () => server.requests.map(({ method, path: route, body }) => ({ method, route, body }));

describe('rerun', () => {
  test('runs one generation again from the failed step', async () => {
    const again = generation({ id: 'gen_2', rerunOf: 'gen_1' });
    server.answer(json(again, 202));
    const { code, out } = await ask(['rerun', 'gen_1', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(again);
    expect(bodies()).toEqual([{ method: 'POST', route: '/v1/generations/gen_1/rerun', body: { from: 'failed_step' } }]);
    expect(server.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${key}`,
      'idempotency-key': expect.stringMatching(/^cli-/),
    });
  });

  test('changes what it is told to, with values as JSON has them, and waits for the end', async () => {
    server.answer(
      json(generation({ id: 'gen_2', rerunOf: 'gen_1' }), 202),
      json(generation({ id: 'gen_2', rerunOf: 'gen_1', status: 'running', phase: 'polling', progress: 30 })),
      json(generation({ id: 'gen_2', rerunOf: 'gen_1', status: 'succeeded', completedAt: at(9) })),
    );
    const changes = ['--set', 'input.durationSeconds=4', '--set', 'model=fal/veo3.1', '--set', 'routing.allow=["fal"]'];
    const { code, out, err } = await ask(['rerun', 'gen_1', '--from', 'start', ...changes, '--wait']);
    expect(code).toBe(0);
    expect(out).toContain('(rerun of gen_1)');
    expect(err).toContain('polling · 25 %');
    expect(bodies()[0]?.body).toEqual({
      from: 'start',
      overrides: { input: { durationSeconds: 4 }, model: 'fal/veo3.1', routing: { allow: ['fal'] } },
    });
    expect(bodies().at(-1)).toMatchObject({ method: 'GET', route: '/v1/generations/gen_2' });
  });

  test('runs several again by a filter, and tells which were skipped and why', async () => {
    const skipped = [{ id: 'gen_9', code: 'caller_conflict', message: 'it is being run again' }];
    server.answer(json({ data: [generation({ id: 'gen_2', rerunOf: 'gen_1' })], skipped }, 202));
    const { code, out } = await ask([
      'rerun',
      '--status',
      'failed',
      '--medium',
      'video',
      '--limit',
      '5',
      '--per-minute',
      '30',
    ]);
    expect(code).toBe(0);
    expect(out).toContain('gen_9  skipped  caller_conflict: it is being run again');
    expect(bodies()).toEqual([
      {
        method: 'POST',
        route: '/v1/generations/rerun',
        body: { filter: { status: 'failed', medium: 'video' }, from: 'failed_step', limit: 5, perMinute: 30 },
      },
    ]);
  });

  test('ends with 1 when one of several that were waited for fails', async () => {
    const rows = ['gen_2', 'gen_3'].map((id) => generation({ id, rerunOf: 'gen_1' }));
    const answers: Record<string, unknown> = {
      '/v1/generations/rerun': { data: rows, skipped: [] },
      '/v1/generations/gen_2': generation({ id: 'gen_2', status: 'succeeded' }),
      '/v1/generations/gen_3': generation({ id: 'gen_3', status: 'expired' }),
    };
    server.answer((response, request) => json(answers[request.path])(response, request));
    const { code, out } = await ask(['rerun', '--status', 'failed', '--wait', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ data: [{ status: 'succeeded' }, { status: 'expired' }], skipped: [] });
  });

  test.each([
    ['neither an id nor a filter', ['rerun']],
    ['an id and a filter', ['rerun', 'gen_1', '--status', 'failed']],
    ['changes for several', ['rerun', '--status', 'failed', '--set', 'model=auto']],
    ['a step that there is not', ['rerun', 'gen_1', '--from', 'middle']],
  ])('refuses %s, and asks nobody', async (_what, words) => {
    server.answer(json({}));
    expect((await ask(words)).code).toBe(2);
    expect(server.requests).toEqual([]);
  });
});

describe('resolve', () => {
  test('takes over an operation that the caller knows of', async () => {
    server.answer(json(generation({ status: 'running', phase: 'polling' })));
    const words = ['resolve', 'gen_1', '--action', 'adopt', '--operation', 'op-77', '--attempt', '2'];
    const { code, out } = await ask(words);
    expect(code).toBe(0);
    expect(out).toContain('gen_1  running');
    expect(bodies()).toEqual([
      {
        method: 'POST',
        route: '/v1/generations/gen_1/resolve',
        body: { action: 'adopt', operation: 'op-77', attempt: 2 },
      },
    ]);
  });

  test('tells a conflict with its code and request, and ends with 2', async () => {
    server.answer(problem(409, 'caller_conflict', { detail: 'nothing is held' }));
    const { code, out, err } = await ask(['resolve', 'gen_1', '--action', 'abandon']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('nothing is held');
    expect(err).toContain('code caller_conflict, request request-7');
  });

  test.each([
    ['without an action', ['resolve', 'gen_1']],
    ['with an action that there is not', ['resolve', 'gen_1', '--action', 'wish']],
    ['without the operation to take over', ['resolve', 'gen_1', '--action', 'adopt']],
  ])('is refused %s', async (_what, words) => {
    server.answer(json({}));
    expect((await ask(words)).code).toBe(2);
    expect(server.requests).toEqual([]);
  });
});

describe('generate', () => {
  test('composes the body of a file, options, and further members', async () => {
    writeFileSync(fileOf('body.json'), '{"medium": "image", "input": {"seed": 7, "size": "1x1"}, "tags": ["a"]}');
    server.answer(json(generation(), 202));
    const words = [
      'generate',
      'a',
      'red',
      'bicycle',
      '--file',
      fileOf('body.json'),
      '--medium',
      'video',
      '--model',
      'auto',
    ];
    const routing = ['--strategy', 'cost', '--max-cost', '0.50', '--set', 'onAmbiguous=hold'];
    const input = [
      '--duration',
      '8',
      '--aspect-ratio',
      '16:9',
      '--input',
      'voiceSettings.speed=1.2',
      '--input',
      'audio=true',
    ];
    const media = ['--image', 'gen_7/1', '--size', '1024x1024', '--voice', '7'];
    const named = ['--idempotency-key', 'order-7'];
    const { code, err } = await ask([...words, ...routing, ...input, ...media, ...named]);
    expect(code).toBe(0);
    expect(err).toContain('sureshot show gen_1');
    expect(bodies()[0]?.body).toEqual({
      medium: 'video',
      model: 'auto',
      tags: ['a'],
      onAmbiguous: 'hold',
      routing: { strategy: 'cost', maxCostUsd: '0.50' },
      input: {
        prompt: 'a red bicycle',
        seed: 7,
        size: '1024x1024',
        voice: '7',
        audio: true,
        durationSeconds: 8,
        aspectRatio: '16:9',
        voiceSettings: { speed: 1.2 },
        image: { generation: 'gen_7', index: 1 },
      },
    });
    expect(server.requests[0]?.headers['idempotency-key']).toBe('order-7');
  });

  test('reads the prompt from standard input', async () => {
    server.answer(json(generation(), 202));
    await run(['generate', '-', '--medium', 'text', '--url', server.url], { folder, input: 'a long\nprompt\n' });
    expect(bodies()[0]?.body).toEqual({ medium: 'text', input: { prompt: 'a long\nprompt' } });
  });

  test('uploads an image of this machine first', async () => {
    writeFileSync(fileOf('start.png'), 'the bytes');
    server.answer(json({ id: 'upl_5' }, 201), json(generation(), 202));
    await ask(['generate', '--prompt', 'it moves', '--medium', 'video', '--image', fileOf('start.png')]);
    expect(bodies()[0]).toEqual({ method: 'POST', route: '/v1/uploads', body: 'the bytes' });
    expect(bodies()[1]?.body).toMatchObject({ input: { image: { upload: 'upl_5' } } });
  });

  test('asks again with the same key when the answer gets lost', async () => {
    server.answer((response) => response.socket?.destroy(), json(generation(), 202));
    const { code, err } = await ask(['generate', 'a red bicycle', '--medium', 'video']);
    expect(code).toBe(0);
    expect(err).toContain('asking again');
    const [first, second] = server.requests.map(({ headers }) => headers['idempotency-key']);
    expect(first).toMatch(/^cli-/);
    expect(second).toBe(first);
  });

  test('names the key to repeat it with when nobody answers any more', async () => {
    server.answer((response) => response.socket?.destroy());
    const { code, err } = await ask(['generate', 'a red bicycle', '--medium', 'video', '--patience', '0']);
    expect(code).toBe(3);
    expect(err).toContain(`--idempotency-key ${String(server.requests[0]?.headers['idempotency-key'])}`);
  });

  test('keeps no file of which not every byte came', async () => {
    const artifacts = [
      {
        index: 0,
        contentType: 'image/png',
        bytes: 9,
        sha256: '0'.repeat(64),
        url: '/v1/generations/gen_1/artifacts/0',
      },
    ];
    server.answer(json(generation(), 202), json(generation({ status: 'succeeded', artifacts })), (response) =>
      response.end('other bytes'),
    );
    const { code, err } = await ask(['generate', 'x', '--medium', 'image', '--output', fileOf('result.png')]);
    expect(code).toBe(1);
    expect(err).toContain('not what was stored');
    expect(readdirSync(folder).filter((name) => name.includes('result'))).toEqual([]);
  });

  test('numbers the files of several results', async () => {
    const bytes = 'the bytes';
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const artifacts = [0, 1].map((index) => ({
      index,
      contentType: 'image/png',
      bytes: 9,
      sha256,
      url: `/a/${index}`,
    }));
    server.answer(json(generation(), 202), json(generation({ status: 'succeeded', artifacts })), (response) =>
      response.end(bytes),
    );
    const { code, out } = await ask(['generate', 'x', '--medium', 'image', '--output', fileOf('pair/two.png')]);
    expect(code).toBe(0);
    expect(out).toContain(fileOf('pair/two-1.png'));
    expect(readFileSync(fileOf('pair/two-0.png'), 'utf8')).toBe(bytes);
  });

  test.each([
    ['no medium', ['generate', 'x']],
    ['two prompts', ['generate', 'x', '--prompt', 'y', '--medium', 'text']],
    ['an image that is nowhere', ['generate', 'x', '--medium', 'video', '--image', 'nowhere.png']],
    ['a duration that is no number', ['generate', 'x', '--medium', 'video', '--duration', 'long']],
    ['a member without a value', ['generate', 'x', '--medium', 'video', '--input', 'seed']],
    ['a member that reaches into every object', ['generate', 'x', '--medium', 'video', '--set', '__proto__.x=1']],
    ['a body that is no JSON', ['generate', '--file', __filename]],
    ['an option that there is not', ['generate', 'x', '--colour', 'red']],
  ])('refuses %s', async (_what, words) => {
    server.answer(json({}));
    const { code, err } = await ask(words);
    expect(code).toBe(2);
    expect(err).not.toBe('');
    expect(server.requests).toEqual([]);
  });
});

describe('a wait', () => {
  test('ends with Ctrl-C: the generation goes on, and how to look at it is said', async () => {
    server.answer(json(generation(), 202), json(generation({ status: 'running', phase: 'submitting' })));
    const words = ['generate', 'x', '--medium', 'video', '--wait', '--json', '--url', server.url];
    const running = start(words, { folder });
    await untilSaid(running, 'submitting');
    running.process.kill('SIGINT');
    const { code, out, err } = await running.ended;
    expect({ code, out }).toEqual({ code: 130, out: '' });
    expect(err).toContain('gen_1 goes on');
    expect(err).toContain('sureshot show gen_1');
  });

  test('goes on asking while the server is away, and then gives up with 3', async () => {
    server.answer(json(generation(), 202), json(generation({ status: 'running', phase: 'polling' })), (response) =>
      response.socket?.destroy(),
    );
    const { code, err } = await ask(['generate', 'x', '--medium', 'video', '--wait', '--patience', '2']);
    expect(code).toBe(3);
    expect(err.match(/asking again for up to 2 s/g)).toHaveLength(1);
    expect(server.requests.length).toBeGreaterThan(3);
  });

  test('outlasts being told to slow down, and an answer of a proxy', async () => {
    const slow = json({ code: 'policy_rate_limited', detail: 'slow down' }, 429, { 'retry-after': '0' });
    server.answer(json(generation(), 202), slow, json('Bad gateway', 502), json(generation({ status: 'succeeded' })));
    expect((await ask(['generate', 'x', '--medium', 'video', '--wait'])).code).toBe(0);
  });

  test('for several ends when one of them cannot be seen any more', async () => {
    const rows = ['gen_2', 'gen_3'].map((id) => generation({ id, rerunOf: 'gen_1' }));
    server.answer((response, request) => {
      const bulk = request.path === '/v1/generations/rerun' ? json({ data: rows, skipped: [] }, 202) : null;
      const gone = request.path === '/v1/generations/gen_2' ? problem(404, 'caller_not_found') : json(rows[1]);
      (bulk ?? gone)(response, request);
    });
    const running = start(['rerun', '--status', 'failed', '--wait', '--url', server.url], { folder });
    expect((await running.ended).code).toBe(2);
  });

  test('says how to decide about what is held', async () => {
    const held = generation({ status: 'running', phase: 'needs_attention' });
    server.answer(json(generation(), 202), json(held), json(generation({ status: 'failed' })));
    const { code, err } = await ask(['generate', 'x', '--medium', 'video', '--wait']);
    expect(code).toBe(1);
    expect(err).toContain('sureshot resolve gen_1 --action');
  });

  test.each([
    ['canceled', 0],
    ['succeeded', 1],
  ])('for the end of a cancelled generation ends, when it is %s, with %d', async (status, exitCode) => {
    server.answer(json(generation(), 202), json(generation({ status })));
    expect((await ask(['cancel', 'gen_1', '--wait'])).code).toBe(exitCode);
  });
});

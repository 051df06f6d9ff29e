import { createServer, type AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { json, startRecordingServer, type RecordingServer } from '../support/recording-server';
import { generation, problem } from './answers';
import { call, makeFolder, removeFolder, run } from './command-line';

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

const ask = (words: readonly string[]) =>
  call([...words, '--url', server.url], { SURESHOT_API_KEY: key, SURESHOT_HOME: folder });

describe('the exit code', () => {
  test.each([
    ['2 for what the API refuses', problem(422, 'caller_invalid_request'), 2],
    ['2 for what there is not', problem(404, 'caller_not_found'), 2],
    ['3 for a server that cannot serve', problem(503, 'system_unavailable'), 3],
    ['1 for a fault of the server', problem(500, 'system_internal'), 1],
    ['3 for an answer that is no JSON', (response) => response.end('<html>'), 3],
  ])('is %s', async (_what, answer, expected) => {
    server.answer(answer);
    expect((await ask(['show', 'gen_1'])).code).toBe(expected);
  });

  test('is 3 when nobody listens', async () => {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    await new Promise((resolve) => listener.close(resolve));
    const { code, out, err } = await run(['list', '--url', `http://127.0.0.1:${port}`], { folder });
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('cannot reach the server');
  });

  test('is 3 when the name of the server leads nowhere', async () => {
    const { code, err } = await call(['list', '--url', 'http://nowhere.invalid'], {});
    expect(code).toBe(3);
    expect(err).toContain('nowhere.invalid');
  });

  test.each([
    ['no command', []],
    ['an unknown command', ['wish']],
    ['an address that is none', ['list', '--url', 'localhost:3000']],
    ['a key with a blank', ['list', '--api-key', 'two words']],
  ])('is 2 for %s', async (_what, words) => {
    expect((await call(words, {})).code).toBe(2);
  });

  test('is 0 for help and version', async () => {
    const { version } = JSON.parse(readFileSync(path.join(__dirname, '../../package.json'), 'utf8'));
    expect(await run(['--version'], { folder })).toMatchObject({ code: 0, out: `${version}\n` });
    expect((await call(['rerun', '--help'], {})).out).toContain('failed_step');
  });
});

describe('a problem', () => {
  test('is told with its detail, each wrong field, code and request', async () => {
    const errors = [
      { pointer: '/input/size', detail: 'must be WIDTHxHEIGHT' },
      { pointer: '', detail: 'has an unknown member' },
    ];
    server.answer(problem(422, 'caller_invalid_request', { errors, detail: 'the request is\u001b[31m invalid' }));
    const { err } = await ask(['generate', 'x', '--medium', 'image']);
    expect(err.trim().split('\n')).toEqual([
      'sureshot: the request is [31m invalid',
      '  /input/size: must be WIDTHxHEIGHT',
      '  the body: has an unknown member',
      '  code caller_invalid_request, request request-7',
    ]);
  });
});

describe('list', () => {
  test('reads every page into one array', async () => {
    const page = (id: string, nextCursor: string | null) =>
      json({ data: [generation({ id })], hasMore: nextCursor !== null, nextCursor });
    server.answer(page('gen_3', 'c1'), page('gen_2', 'c2'), page('gen_1', null));
    const { out } = await ask(['list', '--all', '--status', 'failed', '--tag', 'a b', '--json']);
    expect(JSON.parse(out).map(({ id }: { id: string }) => id)).toEqual(['gen_3', 'gen_2', 'gen_1']);
    expect(server.requests.map(({ path: route }) => route)).toEqual([
      '/v1/generations?status=failed&tag=a+b&limit=100',
      '/v1/generations?status=failed&tag=a+b&limit=100&after=c1',
      '/v1/generations?status=failed&tag=a+b&limit=100&after=c2',
    ]);
  });
});

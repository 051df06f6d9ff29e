import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { startTestStack, type Resource, type TestStack } from '../support/stack';
import { call, makeFolder, removeFolder, run, start, untilSaid } from './command-line';

let system: TestStack;
const folder = makeFolder();

beforeAll(async () => {
  system = await startTestStack();
  await system.settings({ latencyScale: 0.05 });
});

afterAll(async () => {
  await system.stop();
  removeFolder(folder);
});

/** As in the folder of `npm start`: the key is found in the home. */
const environment = (): Record<string, string> => ({ SURESHOT_URL: system.stack.apiUrl, SURESHOT_HOME: system.home });

const ask = (words: readonly string[]) => call(words, environment());

const asJson = async <Body>(words: readonly string[]): Promise<Body> =>
  JSON.parse((await ask([...words, '--json'])).out) as Body;

const image = ['generate', 'a red bicycle', '--medium', 'image', '--model', 'mock/image'];

test('makes an image, waits for it, saves it and shows its story', async () => {
  const file = path.join(folder, 'bicycle.png');
  const words = [...image, '--tag', 'bicycles', '--wait', '--output', file, '--json'];
  const { code, out } = await run(words, { environment: environment(), folder });
  expect(code).toBe(0);
  const resource = JSON.parse(out) as Resource;
  expect(resource).toMatchObject({ status: 'succeeded', model: 'mock/image' });
  expect(createHash('sha256').update(readFileSync(file)).digest('hex')).toBe(resource.artifacts[0]?.sha256);

  const shown = await ask(['show', resource.id]);
  expect(shown).toMatchObject({ code: 0, err: '' });
  for (const part of ['succeeded', 'accepted', 'attempt 1 planned · mock/image', 'attempt 1 succeeded', 'image/png'])
    expect(shown.out).toContain(part);
  expect(await asJson(['show', resource.id])).toEqual(await system.read(resource.id));
});

test('prints a text, reads the prompt as words, and the same key is the same generation', async () => {
  const words = ['generate', 'Say', 'hello.', '--medium', 'text', '--model', 'mock/text', '--wait'];
  const first = await asJson<Resource>([...words, '--idempotency-key', 'greeting-1']);
  const second = await ask([...words, '--idempotency-key', 'greeting-1']);
  expect(second.code).toBe(0);
  expect(second.out).toContain(first.id);
  expect(second.out).toContain((first.text ?? 'no text').split('\n')[0]);
});

test('ends with 1 when the generation fails, and show of it with 0', async () => {
  await system.fault({ provider: 'mock', kind: 'failed' });
  const { code, out } = await ask([...image, '--wait']);
  expect(code).toBe(1);
  expect(out).toContain('provider_failed');
  const [id = ''] = out.split(' ');
  expect((await ask(['show', id])).code).toBe(0);
});

test('ends with 2 for what the API refuses, naming the field', async () => {
  const { code, err } = await ask([...image, '--input', 'colour=red']);
  expect(code).toBe(2);
  expect(err).toContain('/input/colour');
  expect((await ask(['show', 'gen_nowhere'])).code).toBe(2);
  expect((await ask(['list', '--api-key', 'sk_of_somebody_else'])).code).toBe(2);
});

test('lists what is asked for, also over several pages', async () => {
  for (const text of ['one', 'two', 'three'])
    await ask(['generate', text, '--medium', 'text', '--model', 'mock/text', '--tag', 'pages', '--wait']);
  const page = await asJson<{ data: Resource[]; hasMore: boolean }>(['list', '--tag', 'pages', '--limit', '2']);
  expect(page).toMatchObject({ data: [{}, {}], hasMore: true });
  expect(await asJson(['list', '--tag', 'pages', '--all'])).toHaveLength(3);
  const { out } = await ask(['list', '--tag', 'pages', '--medium', 'text', '--status', 'succeeded']);
  expect(out.trim().split('\n')).toHaveLength(4);
});

test('cancels what runs, and waits for its end', async () => {
  await system.fault({ provider: 'runway', kind: 'stuck' });
  const { id } = await system.submit({ medium: 'video', model: 'runway/gen4.5', input: { prompt: 'an endless road' } });
  await system.until(id, ({ phase }) => phase === 'polling');
  const { code, out } = await ask(['cancel', id, '--wait']);
  expect(code).toBe(0);
  expect(out).toContain('canceled');
});

test('goes on waiting over a restart of the API', async () => {
  await system.settings({ latencyScale: 0.3 });
  const words = ['generate', 'a long road', '--medium', 'video', '--model', 'runway/gen4.5', '--wait'];
  const waiting = start(words, { environment: environment(), folder });
  await untilSaid(waiting, 'polling');
  system.kill('api');
  const { code, err } = await waiting.ended;
  await system.settings({ latencyScale: 0.05 });
  expect(err).toContain('asking again');
  expect(code).toBe(0);
});

test('shows models and providers, and tries a key', async () => {
  const models = await asJson<{ data: { medium: string; provider: string }[] }>(['models', '--medium', 'speech']);
  expect(new Set(models.data.map(({ medium }) => medium))).toEqual(new Set(['speech']));
  expect((await ask(['models', '--provider', 'fal'])).out).toMatch(/^fal\/veo3\.1 +video +[\d.–]+ \/ s/m);
  expect((await ask(['providers'])).out).toMatch(/^mock +ready +key-1/m);
  expect(await ask(['providers', 'test', 'mock'])).toMatchObject({ code: 0 });
});

describe('the doctor', () => {
  type Report = { ok: boolean; checks: { name: string; status: string; detail: string }[] };

  test('finds nothing wrong with a stack that runs, from within and through its API', async () => {
    const own = {
      ...system.workerEnvironment,
      SURESHOT_URL: system.stack.apiUrl,
      SURESHOT_API_KEY: system.stack.apiKey,
    };
    const { code, out } = await run(['doctor', '--json'], { environment: own, folder });
    const report = JSON.parse(out) as Report;
    expect(report.checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true });
    const names = report.checks.map(({ name }) => name);
    for (const name of [
      'database',
      'migrations',
      'temporal',
      'namespace',
      'search attributes',
      'schedule reconcile',
      'storage',
      'clock',
      'api',
      'api key',
    ])
      expect(names).toContain(name);
    for (const queue of ['generations', 'providers', 'polls', 'transfers'])
      expect(report.checks).toContainEqual({ name: `queue ${queue}`, status: 'ok', detail: 'one worker', fix: null });
  });

  test('sees what it can through the API alone, and says so', async () => {
    const { code, out } = await ask(['doctor']);
    expect(code).toBe(0);
    expect(out).toContain('seen through the API only');
    expect(out).toMatch(/^ok +api +.*database up, Temporal up/m);
  });
});

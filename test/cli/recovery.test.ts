import { startTestStack, type Resource, type TestStack } from '../support/stack';
import { call } from './command-line';

let system: TestStack;

beforeAll(async () => {
  system = await startTestStack();
  await system.settings({ latencyScale: 0.05 });
});

afterAll(() => system.stop());

const ask = (words: readonly string[]) =>
  call(words, { SURESHOT_URL: system.stack.apiUrl, SURESHOT_HOME: system.home });

const asJson = async <Body>(words: readonly string[]): Promise<Body> =>
  JSON.parse((await ask([...words, '--json'])).out) as Body;

const video = (prompt: string, ...more: string[]): string[] => [
  ...['generate', prompt, '--medium', 'video', '--model', 'runway/gen4.5'],
  ...more,
];

/** Submitted, and the answer was lost. */
const hold = async (prompt: string): Promise<string> => {
  await system.fault({ provider: 'runway', kind: 'drop_after_accept', match: { prompt } });
  const { id } = await asJson<Resource>(video(prompt));
  await system.until(id, ({ phase }) => phase === 'needs_attention');
  return id;
};

const fail = async (prompt: string, ...more: string[]): Promise<string> => {
  await system.fault({ provider: 'runway', kind: 'failed', match: { prompt } });
  const { code, out } = await ask(video(prompt, ...more, '--wait'));
  expect(code).toBe(1);
  return out.split(' ')[0] ?? '';
};

// Promise 2: "Never silently paid twice. At most one paid submit per attempt unless a recorded policy or person decided
// otherwise; a submit whose fate is unknown is a visible state, not a retry."
describe('resolve', () => {
  test('a held generation is shown as such, and goes on with the operation that a person found', async () => {
    const prompt = 'a parcel found by hand';
    const id = await hold(prompt);
    const shown = await ask(['show', id]);
    for (const part of ['needs_attention', 'ambiguous', 'provider_submit_ambiguous']) expect(shown.out).toContain(part);
    const operation = (await system.paidFor(prompt))[0]?.operation ?? '';
    const resolved = await ask(['resolve', id, '--action', 'adopt', '--operation', operation]);
    expect(resolved).toMatchObject({ code: 0, err: '' });
    expect(await system.untilEnded(id)).toMatchObject({ status: 'succeeded' });
    expect(await system.paidFor(prompt)).toHaveLength(1);
    expect((await ask(['show', id])).out).toContain(operation);
  });

  test('is refused with 2 and the reason when nothing is held', async () => {
    const { id } = await asJson<Resource>(['generate', 'Hello.', '--medium', 'text', '--model', 'mock/text', '--wait']);
    const { code, err } = await ask(['resolve', id, '--action', 'abandon']);
    expect(code).toBe(2);
    expect(err).toContain('no submit of it is held');
    expect(err).toContain('caller_conflict');
  });
});

describe('rerun', () => {
  test('runs again what failed, waits for it, and says of what', async () => {
    const id = await fail('a torn parcel');
    const { code, out } = await ask(['rerun', id, '--wait']);
    expect(code).toBe(0);
    expect(out).toContain('succeeded');
    expect(out).toContain(`rerun of ${id}`);
    const again = await ask(['rerun', id]);
    expect(again.code).toBe(2);
    expect(again.err).toContain('caller_conflict');
  });

  test('changes what is named', async () => {
    const id = await fail('a plain parcel');
    const words = ['rerun', id, '--set', 'input.prompt=a golden parcel', '--set', 'model=fal/veo3.1', '--wait'];
    const resource = await asJson<Resource>(words);
    expect(resource).toMatchObject({ status: 'succeeded', model: 'fal/veo3.1', rerunOf: id });
    expect(await system.paidFor('a golden parcel')).toHaveLength(1);
  });

  // Promise 3: "Resume, never restart. … re-run adopts paid work."
  test('of what was canceled and finished at the provider all the same pays nothing', async () => {
    const prompt = 'a parcel called back too late';
    const refusal = { operation: 'cancel', kind: 'status', status: 503, times: null, match: { prompt } };
    await system.fault({ provider: 'runway', ...refusal });
    const { id } = await asJson<Resource>(video(prompt));
    await system.until(id, ({ phase }) => phase === 'polling');
    expect((await ask(['cancel', id, '--wait'])).code).toBe(0);
    const resource = await asJson<Resource>(['rerun', id, '--wait']);
    expect(resource.status).toBe('succeeded');
    expect(await system.paidFor(prompt)).toMatchObject([{ operation: resource.attempts.at(-1)?.operation }]);
  });

  // Promise 8: "The same request twice is one generation (idempotency key), across replicas and restarts."
  test('with the same key is the same re-run', async () => {
    const id = await fail('a parcel asked for twice');
    const words = ['rerun', id, '--idempotency-key', `again-${id}`];
    const [first, second] = [await asJson<Resource>(words), await asJson<Resource>(words)];
    expect(second.id).toBe(first.id);
  });

  test('runs several again by a filter, the oldest first, and tells what could not be', async () => {
    const tag = 'cli-recovery';
    const prompts = ['the first of three', 'the second of three'];
    const ids: string[] = [];
    for (const prompt of prompts) ids.push(await fail(prompt, '--tag', tag));
    const lost = await hold('the third of three');
    await ask(['cancel', lost, '--wait']);
    type Bulk = { data: Resource[]; skipped: { id: string; code: string }[] };
    const words = ['rerun', '--tag', tag, '--limit', '5', '--per-minute', '600', '--wait'];
    const { data, skipped } = await asJson<Bulk>(words);
    expect(data.map(({ rerunOf, status }) => [rerunOf, status])).toEqual(ids.map((id) => [id, 'succeeded']));
    expect(skipped).toEqual([]);
    const rest = await ask(['rerun', '--status', 'canceled', '--limit', '1']);
    expect(rest.code).toBe(0);
    expect(rest.out).toMatch(/skipped|rerun of/);
    expect((await ask(['rerun', '--tag', tag])).out).toContain('nothing to run again');
  });
});

import { submitAttempt } from '../../src/activities/submission';
import { settleGeneration } from '../../src/activities/settlement';
import type { GenerationInput, GenerationRequest, MediaInput } from '../../src/domain/generation';
import { ProviderError, type Call, type Provider, type ReadyInput } from '../../src/providers/provider';
import { readAttempt, type AttemptKey } from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { publishChange } from '../../src/stores/generations';
import { accept, plan, setStatus, take } from '../stores/ledger';
import { mediaModel, openActivityBench, type ActivityBench } from '../support/activity-bench';
import { makeCandidate } from '../support/generation-data';
import { mediaBytes, pngOf, sha256Of } from '../support/media-bytes';
import { makeInput } from '../support/provider-calls';

type Stage = NonNullable<Provider['stage']>;
type Sent = { kind: 'stage' | 'submit'; input: ReadyInput; call: Call; status: string };

let bench: ActivityBench;
let sent: Sent[];
let stage: Stage;
let key: AttemptKey;

const statusNow = async (): Promise<string> => (await readAttempt(bench.dependencies.database, key)).status;

const note = async (kind: Sent['kind'], input: ReadyInput, call: Call): Promise<void> =>
  void sent.push({ kind, input, call, status: await statusNow() });

/** A provider is the edge: it notes what it is given. */
const provider = {
  id: 'acme',
  models: [],
  stage: async (model, input, call) => {
    await note('stage', input, call);
    return stage(model, input, call);
  },
  submit: async (_model, input, call) => {
    await note('submit', input, call);
    return { state: 'pending', operation: { id: `operation-${call.trace}` } };
  },
  check: () => Promise.reject(new Error('nobody looks here')),
  probe: () => Promise.resolve({ model: null }),
} satisfies Provider;

beforeAll(async () => {
  bench = await openActivityBench([provider], [mediaModel()]);
});

afterAll(() => bench.close());

beforeEach(() => {
  sent = [];
  stage = (_model, input) => Promise.resolve(input);
});

const store = async (blob: string, bytes: Uint8Array, contentType = 'image/png'): Promise<MediaInput> => {
  const stored = await bench.dependencies.blobs.write(blob, bytes);
  return { origin: { inline: true }, stored: { key: blob, contentType, ...stored } };
};

/** An attempt on acme/clip that waits to be sent. */
const begin = async (input: Partial<GenerationInput>, more: Partial<GenerationRequest> = {}): Promise<void> => {
  const { database } = bench.dependencies;
  const generationId = await accept(database, { input: makeInput(input), ...more });
  const decision = { strategy: 'balanced', variant: null, candidates: [makeCandidate('acme/clip')] } as const;
  await publishChange(database, generationId, () => ({
    status: 'running',
    decision: { ...decision, candidates: [...decision.candidates] },
  }));
  await plan(database, generationId);
  key = { generationId, number: 1 };
};

const submit = () => bench.run(() => submitAttempt(bench.dependencies, key));

const refusal = (code: 'provider_auth' | 'provider_overloaded', accepted: 'no' | 'unknown'): ProviderError =>
  new ProviderError(code, 'the upload was refused', { accepted, scope: 'provider' });

test('hands over the bytes of every medium, and how urgent it is', async () => {
  const bytes = { image: pngOf(400), lastFrame: pngOf(300), reference: pngOf(200), video: mediaBytes['video/mp4'] };
  await begin(
    {
      image: await store('a/image', bytes.image),
      lastFrame: await store('a/last', bytes.lastFrame),
      referenceImages: [await store('a/reference', bytes.reference)],
      video: await store('a/video', bytes.video, 'video/mp4'),
    },
    { priority: 'high' },
  );
  expect(await submit()).toMatchObject({ state: 'pending' });
  const { input, call } = sent.at(-1) as Sent;
  expect(input).toMatchObject({
    image: { bytes: bytes.image, contentType: 'image/png' },
    lastFrame: { bytes: bytes.lastFrame, contentType: 'image/png' },
    referenceImages: [{ bytes: bytes.reference, contentType: 'image/png' }],
    video: { bytes: bytes.video, contentType: 'video/mp4' },
    durationSeconds: 4,
  });
  expect(call.priority).toBe('high');
});

test('stages before it takes, and sends what was staged', async () => {
  stage = (_model, input) =>
    Promise.resolve({ ...input, image: input.image && { ...input.image, uri: 'acme://uploads/1' } });
  await begin({ image: await store('b/image', pngOf(400)) });
  await submit();
  expect(sent.map(({ kind, status }) => [kind, status])).toEqual([
    ['stage', 'planned'],
    ['submit', 'submitting'],
  ]);
  expect(sent[1]?.input.image?.uri).toBe('acme://uploads/1');
});

test('a staging that may pass counts as a refused try, and the next try stages again', async () => {
  stage = () => Promise.reject(refusal('provider_overloaded', 'unknown'));
  await begin({ image: await store('c/image', pngOf(400)) });
  await expect(submit()).rejects.toMatchObject({ type: 'not_accepted' });
  expect(await readAttempt(bench.dependencies.database, key)).toMatchObject({ status: 'planned', submitErrors: 1 });
  stage = (_model, input) => Promise.resolve(input);
  expect(await submit()).toMatchObject({ state: 'pending' });
  expect(sent.map(({ kind }) => kind)).toEqual(['stage', 'stage', 'submit']);
});

test('a staging that was refused for good is the end of the attempt, free of charge', async () => {
  stage = () => Promise.reject(refusal('provider_auth', 'no'));
  await begin({ image: await store('d/image', pngOf(400)) });
  expect(await submit()).toEqual({ state: 'rejected', code: 'provider_auth' });
  const { costUsd, possibleCostUsd } = await readAttempt(bench.dependencies.database, key);
  expect([costUsd?.toFixed(), possibleCostUsd]).toEqual(['0', null]);
  expect(sent.map(({ kind }) => kind)).toEqual(['stage']);
});

test('nothing is staged or read where somebody else is sending', async () => {
  await begin({ image: await store('e/image', pngOf(400)) });
  await take(bench.dependencies.database, key);
  await expect(submit()).rejects.toMatchObject({ type: 'not_settled' });
  expect(sent).toEqual([]);
});

test('what turns out to be unsent gets in line, and is made ready in its turn', async () => {
  await begin({ image: await store('f/image', pngOf(400)) });
  await take(bench.dependencies.database, key);
  const { database } = bench.dependencies;
  // right after the first look at the row it is found out that the send before was never accepted
  const racing = new Proxy(database, {
    get: (target, name) =>
      name === '$queryRaw'
        ? async (...query: Parameters<Database['$queryRaw']>) => {
            await setStatus(database, key, 'planned');
            return target.$queryRaw(...query);
          }
        : Reflect.get(target, name),
  });
  const dependencies = { ...bench.dependencies, database: racing };
  const raced = bench.run(() => submitAttempt(dependencies, key));
  await expect(raced).rejects.toMatchObject({ type: 'not_accepted' });
  expect(await readAttempt(database, key)).toMatchObject({ status: 'planned', epoch: 1, submitErrors: 0 });
  expect(sent).toEqual([]);
  expect(await submit()).toMatchObject({ state: 'pending' });
  expect(sent.map(({ kind }) => kind)).toEqual(['stage', 'submit']);
});

describe('bytes that are not what was stored', () => {
  const rejected = async (message: RegExp): Promise<void> => {
    await expect(submit()).rejects.toMatchObject({ type: 'not_accepted' });
    expect(await submit()).toEqual({ state: 'rejected', code: 'system_internal' });
    const attempt = await readAttempt(bench.dependencies.database, key);
    expect(attempt.errorMessage).toMatch(message);
    expect(attempt.costUsd?.toFixed()).toBe('0');
    expect(sent).toEqual([]);
    await settleGeneration(bench.dependencies, { generationId: key.generationId, canceled: false });
  };

  test('are not sent when they are gone', async () => {
    await begin({ image: await store('g/image', pngOf(400)) });
    await bench.dependencies.blobs.remove('g/image');
    await rejected(/^the bytes of input\.image are missing or damaged/);
  });

  test('are not sent when they are damaged', async () => {
    const reference = await store('h/image', pngOf(400));
    await bench.dependencies.blobs.write('h/image', pngOf(401));
    await begin({ referenceImages: [reference] });
    expect(reference.stored?.sha256).toBe(sha256Of(pngOf(400)));
    await rejected(/^the bytes of input\.referenceImages\.0 are missing or damaged/);
  });

  test('are not sent when they were never fetched', async () => {
    await begin({ image: { origin: { url: 'https://example.com/a' }, stored: null } });
    await rejected(/^the bytes of input\.image were never fetched/);
  });
});

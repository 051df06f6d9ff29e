import { models } from '../../../src/providers/google/models';
import {
  collectContent,
  toCancellation,
  toContentOutcome,
  toContentRequest,
  toInteraction,
  toInteractionAccepted,
  toInteractionOutcome,
  toVeoAccepted,
  toVeoOutcome,
} from '../../../src/providers/google/wire';
import { findViolations } from '../../../src/domain/capabilities';
import { adaptInput } from '../../../src/domain/adapted-input';
import {
  makeCall,
  makeInput,
  makeReadyInput,
  modelOf,
  storedImage,
  thrownBy,
  tinyPng,
} from '../../support/provider-calls';

const call = makeCall('http://127.0.0.1:9/google');
const flash = modelOf('google/gemini-2.5-flash');
const drawing = modelOf('google/gemini-2.5-flash-image');

describe('an operation of Veo', () => {
  const operation = { id: 'models/veo/operations/1', seconds: 8 };
  const ended = (response: unknown) => toVeoOutcome({ name: 'n', done: true, response }, operation, call);
  const failedWith = (error: unknown) => toVeoOutcome({ name: 'n', done: true, error }, operation, call);

  test.each([
    ['https://generativelanguage.googleapis.com/v1beta/files/a:download?alt=media', true],
    ['http://127.0.0.1:9/google/v1beta/files/a:download?alt=media', true],
    ['https://storage.example/a.mp4', false],
    ['http://generativelanguage.googleapis.com/v1beta/files/a', false],
    ['https://generativelanguage.googleapis.com.example/a', false],
    ['http://127.0.0.1:10/google/v1beta/files/a', false],
  ])('fetches %s with the key: %s', (uri, withKey) => {
    const outcome = ended({ generatedVideos: [{ video: { uri } }] });
    const key = withKey ? { credentialHeader: { name: 'x-goog-api-key', scheme: null } } : {};
    expect(outcome).toEqual({
      state: 'succeeded',
      outputs: [{ kind: 'url', url: uri, contentType: 'video/mp4', ...key }],
      usage: { inputTokens: null, outputTokens: null, characters: null, seconds: 8, images: null },
      warnings: [],
    });
  });

  test('hands over bytes where the answer has them, and says that others were withheld', () => {
    const response = { generatedVideos: [{ video: { videoBytes: 'AAAA' } }], raiMediaFilteredCount: 1 };
    expect(ended(response)).toMatchObject({
      outputs: [{ kind: 'bytes', bytes: Buffer.from('AAAA', 'base64') }],
      warnings: ['1 of the videos were filtered out'],
    });
  });

  test('is rejected, free of charge, where all videos were filtered out', () => {
    const response = { raiMediaFilteredCount: 1, raiMediaFilteredReasons: ['It might violate our policies.'] };
    expect(ended(response)).toEqual({
      state: 'failed',
      code: 'provider_content_rejected',
      message: 'It might violate our policies.',
      chargedUsd: '0',
    });
  });

  test.each([
    [
      { code: 3, message: 'bad duration' },
      { state: 'failed', code: 'caller_invalid_request' },
    ],
    [{ code: 3, message: "violates Google's usage guidelines" }, { code: 'provider_content_rejected' }],
    [{ code: 4, message: 'm' }, { code: 'provider_timeout' }],
    [{ code: 7, message: 'm' }, { code: 'provider_auth' }],
    [{ code: 8, message: 'm' }, { code: 'provider_rate_limited' }],
    [
      { code: 13, message: 'internal' },
      { code: 'provider_failed', message: 'internal' },
    ],
    [{ code: 14, message: 'm' }, { code: 'provider_overloaded' }],
    [{}, { code: 'provider_failed' }],
    [{ code: 1, message: 'm' }, { state: 'canceled' }],
  ])('that ended with the error %j is %j', (error, expected) => {
    expect(failedWith(error)).toMatchObject(expected);
  });

  test.each([{}, '<html>', { name: '' }, { name: 'n', done: true }, { name: 'n', done: true, response: {} }])(
    'is not what %j is',
    (body) => {
      expect(thrownBy(() => toVeoOutcome(body, operation, call))).toMatchObject({ code: 'provider_bad_response' });
    },
  );

  test('is not accepted without a name', () => {
    const error = thrownBy(() => toVeoAccepted({ done: true }, makeReadyInput()));
    expect(error).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
  });
});

describe('an interaction', () => {
  const operation = { id: 'v1_a', seconds: 8 };
  const look = (rest: Record<string, unknown>) => toInteractionOutcome({ id: 'v1_a', ...rest }, operation, call);
  const uri = 'https://generativelanguage.googleapis.com/v1beta/files/a:download?alt=media';
  const output = (content: unknown[]) => [
    { type: 'user_input', content: [{ type: 'video', uri: 'https://x.example/given.mp4' }] },
    { type: 'thought' },
    { type: 'model_output', content },
  ];

  test.each(['queued', 'in_progress'])('goes on while it is %s', (status) => {
    expect(look({ status })).toEqual({ state: 'pending', operation });
  });

  test('hands over the video it made and no other', () => {
    const steps = output([
      { type: 'text', text: 'here' },
      { type: 'video', uri, mime_type: 'video/mp4' },
    ]);
    const usage = { total_input_tokens: 10, total_output_tokens: 46_336 };
    expect(look({ status: 'completed', steps, usage })).toMatchObject({
      state: 'succeeded',
      outputs: [{ kind: 'url', url: uri, credentialHeader: { name: 'x-goog-api-key' } }],
      usage: { seconds: 8, inputTokens: 10, outputTokens: 46_336 },
    });
  });

  test('hands over bytes where they came with the answer', () => {
    const steps = output([{ type: 'video', data: 'AAAA', mime_type: 'video/webm' }]);
    expect(look({ status: 'completed', steps })).toMatchObject({
      outputs: [{ kind: 'bytes', bytes: Buffer.from('AAAA', 'base64'), contentType: 'video/webm' }],
    });
  });

  test('was declined where the model only talked', () => {
    const steps = output([{ type: 'text', text: 'I cannot make that.' }]);
    expect(look({ status: 'completed', steps })).toMatchObject({ state: 'failed', code: 'provider_content_rejected' });
  });

  test('is not understood where a video was made and is not there', () => {
    const usage = { output_tokens_by_modality: [{ modality: 'VIDEO', tokens: 46_336 }] };
    expect(thrownBy(() => look({ status: 'completed', steps: [], usage }))).toMatchObject({
      code: 'provider_bad_response',
    });
  });

  test.each([
    [{ status: 'failed', errors: [{ code: 'prohibited_content', message: 'no' }] }, 'provider_content_rejected'],
    [{ status: 'failed', error: { code: 'safety', message: 'no' } }, 'provider_content_rejected'],
    [{ status: 'failed', errors: [{ message: 'blocked for safety reasons' }] }, 'provider_content_rejected'],
    [{ status: 'failed', errors: [{ code: 'api_error', message: 'internal' }] }, 'provider_failed'],
    [{ status: 'failed' }, 'provider_failed'],
    [{ status: 'incomplete' }, 'provider_failed'],
    [{ status: 'budget_exceeded' }, 'provider_failed'],
    [{ status: 'requires_action' }, 'provider_failed'],
  ])('%j has failed as %s', (body, code) => {
    expect(look(body)).toMatchObject({ state: 'failed', code, message: expect.stringMatching(/./) });
  });

  test('was cancelled', () => {
    expect(look({ status: 'cancelled' })).toEqual({ state: 'canceled' });
  });

  test.each([{}, { id: 'v1_a' }, { id: 'v1_a', status: 'dancing' }, '<html>'])('is not what %j is', (body) => {
    const error = thrownBy(() => toInteractionAccepted(body, makeReadyInput(), call));
    expect(error).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
    expect(thrownBy(() => toCancellation(body))).toMatchObject({ code: 'provider_bad_response' });
  });

  test('carries our mark as a label may be written', () => {
    const marked = toInteraction(modelOf('google/gemini-omni-1.1-flash'), makeReadyInput(), {
      ...call,
      trace: `gen_01ABC/x y-${'1'.repeat(80)}`,
    });
    expect(marked.labels?.['trace']).toMatch(/^gen_01abc-x-y-1{49}$/);
  });
});

describe('generated content', () => {
  const candidate = (parts: unknown[], finishReason: string | null = 'STOP', rest = {}) => ({
    candidates: [{ content: { role: 'model', parts }, finishReason, ...rest }],
  });
  const picture = { inlineData: { mimeType: 'image/jpeg', data: tinyPng } };

  test('is the text without the thoughts', () => {
    const body = candidate([{ text: 'hm', thought: true }, { text: 'A ' }, { text: 'bicycle.' }]);
    expect(toContentOutcome(flash, body)).toMatchObject({ outputs: [{ kind: 'text', text: 'A bicycle.' }] });
  });

  test('is the images without the drafts', () => {
    const body = candidate([{ ...picture, thought: true }, { text: 'Here' }, picture]);
    expect(toContentOutcome(drawing, body)).toMatchObject({
      outputs: [{ kind: 'bytes', contentType: 'image/jpeg' }],
      usage: { images: 1 },
    });
  });

  test.each(['MAX_TOKENS', 'CONTINUATION'])('is cut where it ends with %s', (reason) => {
    expect(toContentOutcome(flash, candidate([{ text: 'half' }], reason))).toMatchObject({
      state: 'succeeded',
      warnings: ['the text was cut at the token limit'],
    });
  });

  test.each(['SAFETY', 'PROHIBITED_CONTENT', 'RECITATION', 'BLOCKLIST', 'SPII', 'LANGUAGE'])(
    'is refused where it ends with %s',
    (reason) => {
      expect(toContentOutcome(flash, { candidates: [{ finishReason: reason }] })).toEqual({
        state: 'failed',
        code: 'provider_content_rejected',
        message: `the answer was blocked: ${reason}`,
      });
    },
  );

  test.each(['OTHER', 'PROHIBITED_CONTENT', 'SAFETY'])(
    'is refused where the prompt is blocked for %s',
    (blockReason) => {
      expect(toContentOutcome(flash, { promptFeedback: { blockReason } })).toMatchObject({
        state: 'failed',
        code: 'provider_content_rejected',
      });
    },
  );

  test('costs nothing where Google says so of a blocked image', () => {
    const finishMessage = 'The image was filtered out. You will not be charged for blocked images.';
    const body = { candidates: [{ finishReason: 'IMAGE_SAFETY', finishMessage }] };
    expect(toContentOutcome(drawing, body)).toEqual({
      state: 'failed',
      code: 'provider_content_rejected',
      message: finishMessage,
      chargedUsd: '0',
    });
  });

  test.each([
    [candidate([], 'NO_IMAGE'), drawing],
    [candidate([], 'IMAGE_OTHER'), drawing],
    [candidate([{ text: 'I would rather talk.' }]), drawing],
    [candidate([], 'OTHER'), flash],
    [candidate([], 'MALFORMED_FUNCTION_CALL'), flash],
  ])('has failed as %j', (body, model) => {
    expect(toContentOutcome(model, body)).toMatchObject({ state: 'failed', code: 'provider_failed' });
  });

  test.each([{}, '<html>', { candidates: [] }, candidate([{ text: 'half' }], null), candidate([])])(
    'is not what %j is',
    (body) => {
      const error = thrownBy(() => toContentOutcome(flash, body));
      expect(error).toMatchObject({ code: 'provider_bad_response', accepted: 'unknown' });
    },
  );

  test('is judged the same in pieces', async () => {
    const pieces = [
      { candidates: [{ content: { parts: [{ text: 'He' }] } }] },
      { candidates: [{ finishReason: 'SAFETY' }] },
    ];
    const told: string[] = [];
    // eslint-disable-next-line @typescript-eslint/require-await -- as a stream hands them over
    const stream = async function* () {
      yield* pieces;
    };
    expect(await collectContent(flash, stream(), (delta) => told.push(delta))).toMatchObject({
      state: 'failed',
      code: 'provider_content_rejected',
    });
    expect(told).toEqual(['He']);
  });

  test('keeps nothing of an empty prompt', () => {
    const messages = [{ role: 'user', content: 'hello' }] as const;
    const input = makeReadyInput({ prompt: null, messages: [...messages] });
    expect(toContentRequest(flash, input)).toEqual({
      model: 'gemini-2.5-flash',
      contents: [{ role: 'user', parts: [{ text: 'hello' }] }],
      config: { automaticContinuation: false },
    });
  });
});

describe('the rows', () => {
  const veo = modelOf('google/veo-3.1-generate-preview');

  test.each([
    [{ resolution: '1080p' }, 8],
    [{ resolution: '4k' }, 8],
    [{ referenceImages: [storedImage] }, 8],
  ])('allow %j in eight seconds only', (wish, seconds) => {
    expect(findViolations(veo, makeInput({ ...wish, durationSeconds: 4 }))).toMatchObject([
      { pointer: '/input/durationSeconds' },
    ]);
    expect(findViolations(veo, makeInput({ ...wish, durationSeconds: seconds }))).toEqual([]);
  });

  test('leave the shape of an edited image to the model unless it is named', () => {
    expect(adaptInput(drawing, makeInput({ image: storedImage })).aspectRatio).toBe('auto');
    expect(adaptInput(drawing, makeInput({ image: storedImage, aspectRatio: '1:1' })).aspectRatio).toBe('1:1');
  });

  test('name a successor of every model that is gone', () => {
    const gone = models.filter(({ lifecycle }) => lifecycle.retiredOn !== undefined);
    expect(gone.map(({ family }) => family)).toEqual([
      'veo-2.0',
      'veo-3.0',
      'veo-3.0-fast',
      'veo-3.1',
      'veo-3.1-fast',
      'veo-3.1-lite',
    ]);
    for (const { lifecycle } of gone)
      expect(models.find(({ id }) => id === lifecycle.successor)).toMatchObject({ medium: 'video', lifecycle: {} });
  });
});

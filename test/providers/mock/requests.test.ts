import { createMock } from '../../../src/providers/mock';
import { useRecordedProvider } from '../../support/golden';
import { makeCall, makeInput, modelOf, secret } from '../../support/provider-calls';
import { json } from '../../support/recording-server';

const current = useRecordedProvider(createMock);

test('submits with the trace the listing finds it by', async () => {
  current.server.answer(json({ id: 'op_1', status: 'running' }, 202));
  const call = makeCall(`${current.server.url}/mock`);
  const outcome = await current.provider.submit(modelOf('mock/video'), makeInput({ durationSeconds: 4 }), call);
  expect(outcome).toEqual({ state: 'pending', operation: { id: 'op_1' }, progress: 0 });
  expect(current.server.requests).toMatchObject([
    {
      method: 'POST',
      path: '/mock/v1/operations',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: { model: 'video', prompt: 'a red bicycle in the rain', trace: call.trace, input: { durationSeconds: 4 } },
    },
  ]);
});

test('streams the text of a synchronous answer', async () => {
  current.server.answer(
    json({ id: 'op_2', status: 'succeeded', outputs: [{ text: 'hello' }], usage: { outputTokens: 1 } }),
  );
  const deltas: string[] = [];
  const call = makeCall(current.server.url, { onText: (delta) => deltas.push(delta) });
  const outcome = await current.provider.submit(modelOf('mock/text'), makeInput(), call);
  expect(outcome).toMatchObject({
    state: 'succeeded',
    outputs: [{ kind: 'text', text: 'hello' }],
    usage: { outputTokens: 1 },
  });
  expect(deltas).toEqual(['hello']);
});

test('looks, cancels and finds', async () => {
  const { provider, server } = current;
  const model = modelOf('mock/video');
  const call = makeCall(server.url);
  const operation = { id: 'op/1' };
  server.answer(
    json({ id: 'op/1', status: 'running', progress: 40 }),
    json({ status: 'canceled' }),
    json({ data: [{ id: 'op_9', status: 'running' }] }),
    json({ data: [] }),
  );
  expect(await provider.check?.(model, operation, call)).toMatchObject({ state: 'pending', progress: 40 });
  expect(await provider.cancel?.(model, operation, call)).toBe('confirmed');
  expect(await provider.find?.(model, new Date(), call)).toEqual({ id: 'op_9' });
  expect(await provider.find?.(model, new Date(), call)).toBe('absent');
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /v1/operations/op%2F1',
    'POST /v1/operations/op%2F1/cancel',
    'GET /v1/operations?trace=gen_1%2Fattempt%2F1',
    'GET /v1/operations?trace=gen_1%2Fattempt%2F1',
  ]);
});

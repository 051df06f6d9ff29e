import { ProviderError, type Call, type Operation, type Provider } from '../provider';
import { converse, type Conversation } from '../refusal';
import type { Purpose, Transport } from '../transport';
import { models } from './models';
import { readRefusal, toAllFound, toCancellation, toFound, toOutcome, toSubmission } from './wire';

type Talk = Conversation & { path: string; body?: unknown };

const baseUrlOf = (call: Call): string => {
  if (call.credential.baseUrl !== null) return call.credential.baseUrl;
  throw new ProviderError('provider_auth', 'the mock provider has no base URL', {
    accepted: 'no',
    scope: 'credential',
  });
};

/** Where other providers have an SDK, mock speaks HTTP by itself: one request, one JSON answer. */
const send = (talk: Talk): Promise<unknown> =>
  converse(talk, async () => {
    const response = await talk.line.fetch(`${baseUrlOf(talk.call)}${talk.path}`, {
      method: talk.purpose === 'submit' || talk.purpose === 'cancel' ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${talk.call.credential.secret}`, 'content-type': 'application/json' },
      ...(talk.body !== undefined && { body: JSON.stringify(talk.body) }),
    });
    // Any throw will do: converse() reads the refused answer from the line.
    if (!response.ok) throw new Error('refused');
    return response.json();
  });

const pathOf = (operation: Operation): string => `/v1/operations/${encodeURIComponent(operation.id)}`;

const listPath = ({ trace }: Call): string => `/v1/operations?trace=${encodeURIComponent(trace)}`;

export const createMock = (transport: Transport): Provider => {
  const talk = (call: Call, purpose: Purpose, path: string): Talk => ({
    call,
    purpose,
    line: transport.open(call, purpose),
    readRefusal,
    path,
  });

  return {
    id: 'mock',
    models,

    async submit(model, input, call) {
      const body = toSubmission(model, input, call.trace);
      const hidden = [
        input.prompt,
        input.system,
        input.negativePrompt,
        ...input.messages.map(({ content }) => content),
      ];
      const outcome = toOutcome(await send({ ...talk(call, 'submit', '/v1/operations'), body, hidden }));
      if (outcome.state === 'succeeded')
        for (const output of outcome.outputs) if (output.kind === 'text') call.onText?.(output.text);
      return outcome;
    },

    async check(_model, operation, call) {
      return toOutcome(await send(talk(call, 'check', pathOf(operation))));
    },

    async cancel(_model, operation, call) {
      return toCancellation(await send(talk(call, 'cancel', `${pathOf(operation)}/cancel`)));
    },

    async find(_model, _sent, call) {
      return toFound(await send(talk(call, 'find', listPath(call))));
    },

    async findAll(_model, since, call) {
      const path = `/v1/operations?since=${encodeURIComponent(since.toISOString())}`;
      return toAllFound(await send(talk(call, 'find', path)), call.traces);
    },

    async probe(call) {
      toFound(await send(talk(call, 'probe', listPath(call))));
      return { model: null };
    },
  };
};

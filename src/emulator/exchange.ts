import type { Request, Response } from 'express';
import { jsonAnswer, textAnswer, type Answer } from './answer';
import { deliver } from './deliver';
import { takeFault, takesEffect, type Fault, type FaultSubject } from './faults';
import { advance } from './lanes';
import { arrive, leave, type Excess } from './meters';
import { fingerprintOf, type Operation } from './operations';
import { countTokens } from './prose';
import type { Call, EmulatedProvider, Route, Subject } from './provider';
import { headersOfInterest, queryOfInterest, recordRequest, retryCountOf, type SeenRequest } from './requests';
import { bendFate } from './submit';
import { announceEarly } from './webhooks';
import { pause, type World } from './world';

const paramsOf = (request: Request): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.params).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join('/') : String(value),
    ]),
  );

const createCall = (world: World, provider: EmulatedProvider, request: Request): Call => {
  const url = new URL(request.originalUrl, 'http://emulator');
  const key = provider.readKey(request.headers, url.searchParams) ?? '';
  return {
    world,
    provider: provider.id,
    kind: 'other',
    method: request.method,
    path: url.pathname,
    headers: request.headers,
    query: url.searchParams,
    params: paramsOf(request),
    body: request.body as unknown,
    origin: `${request.protocol}://${request.get('host') ?? ''}`,
    key,
    credential: fingerprintOf(key),
    fault: undefined,
    admission: undefined,
    touched: undefined,
    notes: [],
  };
};

const record = (call: Call, subject: Subject): SeenRequest => {
  const seen: SeenRequest = {
    provider: call.provider,
    kind: call.kind,
    credential: call.key === '' ? null : call.credential,
    operation: subject.operation?.id ?? null,
    model: subject.operation?.model ?? subject.model ?? null,
    method: call.method,
    path: call.path,
    query: queryOfInterest(call.query),
    status: null,
    fault: call.fault?.kind ?? null,
    at: new Date(call.world.clock()).toISOString(),
    retryCount: retryCountOf(call.headers),
    headers: headersOfInterest(call.headers),
    notes: call.notes,
  };
  recordRequest(call.world.requests, seen);
  return seen;
};

const html =
  '<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>';

/** What a fault says in the provider's stead. */
const faultAnswer = (provider: EmulatedProvider, fault: Fault, call: Call): Answer | undefined => {
  if (fault.kind === 'html') {
    return textAnswer(fault.status ?? 200, html, { 'content-type': 'text/html', ...fault.headers });
  }
  if (fault.kind !== 'status') return undefined;
  const answer = provider.fail({ status: fault.status ?? 500, retryAfterSeconds: fault.retryAfter }, call);
  const own = fault.body === undefined ? answer : jsonAnswer(answer.status, fault.body, answer.headers);
  return { ...own, headers: { ...own.headers, ...fault.headers } };
};

const isBad = ({ key }: Call): boolean => key === '' || key.includes('invalid');
const isExhausted = ({ key }: Call): boolean => key.includes('exhausted');

/** The most that was asked for: the text that was sent, and as long an answer as was allowed. */
const tokensOf = ({ body }: Call, { prompt }: Subject): number => {
  const { generationConfig, ...members } = Object(body) as Record<string, unknown>;
  const allowed = [
    ...['max_tokens', 'max_completion_tokens', 'max_output_tokens'].map((name) => members[name]),
    (Object(generationConfig) as Record<string, unknown>)['maxOutputTokens'],
  ].map((value) => Number(value ?? 0));
  return countTokens(prompt ?? '') + Math.max(0, ...allowed.filter(Number.isInteger));
};

/** Counted from the moment a submit is here, however long its answer takes and whatever it says. */
const count = (provider: EmulatedProvider, call: Call, subject: Subject): Excess | undefined => {
  if (call.kind !== 'submit' || isBad(call) || isExhausted(call)) return undefined;
  const account = { provider: call.provider, credential: call.credential, model: subject.model ?? null };
  const wanted = { tokens: tokensOf(call, subject), overLimit: provider.overLimit };
  const counted = arrive(call.world, account, wanted);
  if ('scope' in counted) return counted;
  call.admission = counted;
  return undefined;
};

const refuse = (provider: EmulatedProvider, route: Route, call: Call): Answer | undefined => {
  if (call.kind === 'artifact' || route.isOpen === true) return undefined;
  if (isBad(call)) return provider.unauthorized(call.key || undefined, call);
  return call.kind === 'submit' && isExhausted(call) ? provider.exhausted(call) : undefined;
};

type Exchange = {
  world: World;
  provider: EmulatedProvider;
  route: Route;
};

const decide = async ({ provider, route }: Exchange, call: Call, excess: Excess | undefined): Promise<Answer> => {
  const instead = call.fault === undefined ? undefined : faultAnswer(provider, call.fault, call);
  const effective = call.fault === undefined || takesEffect(call.fault);
  if (!effective) return instead ?? jsonAnswer(200, {});
  const refusal =
    excess === undefined ? refuse(provider, route, call) : provider.fail({ status: 429, ...excess }, call);
  const answer = refusal ?? (await route.handle(call));
  return instead ?? answer;
};

const nameSubject = (call: Call, { operation, model, prompt }: Subject): FaultSubject => ({
  provider: call.provider,
  kind: call.kind,
  model: operation?.model ?? model ?? null,
  prompt: operation?.prompt ?? prompt ?? null,
});

const bringUpToDate = (call: Call, operation: Operation | undefined): void => {
  if (operation === undefined) return;
  if (call.fault === undefined) advance(call.world, operation);
  else bendFate(call, operation);
};

/** What the request turned out to be about, once it was handled. */
const follow = async (provider: EmulatedProvider, { world, kind, touched }: Call, seen: SeenRequest): Promise<void> => {
  if (touched === undefined) return;
  seen.operation = touched.id;
  seen.model = touched.model;
  if (kind === 'submit') await announceEarly(world, provider, touched);
};

export const exchange = async (place: Exchange, request: Request, response: Response): Promise<void> => {
  const { world, provider, route } = place;
  const call = createCall(world, provider, request);
  call.kind = route.kind;
  const subject = route.describe?.(call) ?? {};
  call.fault = takeFault(world.faults, nameSubject(call, subject));
  const seen = record(call, subject);
  const excess = count(provider, call, subject);
  await pause(world, call.fault?.delayMs ?? 0);
  bringUpToDate(call, subject.operation);
  const answer = await decide(place, call, excess).finally(() => {
    // What is not counted in tokens used none; what was not accepted keeps its estimate.
    if (call.admission !== undefined) leave(call.admission, call.touched && (call.touched.tokens ?? 0));
  });
  await follow(provider, call, seen);
  const signed = { ...answer, headers: { ...provider.signature?.(call), ...answer.headers } };
  seen.status = await deliver({ world, response, answer: signed }, call.fault);
};

/** What no route answers: unknown paths and bodies that do not parse. */
export const exchangeOther =
  (world: World, provider: EmulatedProvider, malformed?: string) =>
  (request: Request, response: Response): Promise<void> => {
    const handle = (call: Call): Answer =>
      malformed === undefined ? provider.notFound(call) : provider.malformed(malformed, call);
    const route: Route = { method: 'get', path: '', kind: 'other', handle };
    return exchange({ world, provider, route }, request, response);
  };

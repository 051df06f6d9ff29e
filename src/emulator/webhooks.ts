import { takeFault, type Fault, type FaultKind } from './faults';
import { advance } from './lanes';
import { isOver, type Operation, type Webhook } from './operations';
import type { Announcer, EmulatedProvider, Message } from './provider';
import { hasten } from './submit';
import { changeOperation, type World } from './world';

const lookEveryMs = 20;
/** Even at latencyScale 0 a receiver that is restarting gets its webhook. */
const shortestRetryMs = 25;

/** One webhook on its way. */
type Errand = {
  world: World;
  announcer: Announcer;
  operation: Operation;
  webhook: Webhook;
};

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'invalid');

/** A reset has forgotten it, or the journal is closed, while its message was under way. */
const isForgotten = ({ world, operation }: Errand): boolean =>
  world.closing.signal.aborted || !world.awaited.has(operation);

const record = (errand: Errand, status: number | null, fault: string | null): void => {
  if (isForgotten(errand)) return;
  const { world, operation, webhook } = errand;
  const { provider, id } = operation;
  const at = new Date(world.clock()).toISOString();
  const { attempts: attempt, url } = webhook;
  world.deliveries.push({ provider, operation: id, host: hostOf(url), attempt, status, fault, at });
};

/** Kept at once: what is owed must be owed after a restart too. */
const update = (errand: Errand, set: Partial<Webhook>): void => {
  if (isForgotten(errand)) return;
  const { world, operation, webhook } = errand;
  Object.assign(webhook, set);
  changeOperation(world, operation, { webhooks: operation.webhooks });
  if (operation.webhooks.every(({ state }) => state !== 'owed')) world.awaited.delete(operation);
};

const post = async ({ world, announcer }: Errand, message: Message, isForged: boolean): Promise<number | null> => {
  const headers = announcer.sign({ of: isForged ? world.keys.forge : world.keys.of }, message);
  const giveUp = new AbortController();
  const abort = (): void => giveUp.abort();
  const timer = setTimeout(abort, announcer.timeoutMs).unref();
  world.closing.signal.addEventListener('abort', abort);
  try {
    const response = await fetch(message.url, {
      method: 'POST',
      body: message.body,
      headers: { 'content-type': 'application/json', ...headers },
      redirect: 'manual',
      signal: giveUp.signal,
    });
    void response.body?.cancel().catch(() => undefined);
    return response.status;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    world.closing.signal.removeEventListener('abort', abort);
  }
};

const isWelcome = (status: number | null): boolean => status !== null && status >= 200 && status < 300;

const retryAtMs = ({ world, announcer, webhook }: Errand): number | undefined => {
  const delayMs = announcer.retryDelaysMs[webhook.attempts - 1];
  if (delayMs === undefined) return undefined;
  // The floor doubles as the waits do.
  const leastMs = shortestRetryMs * 2 ** (webhook.attempts - 1);
  return world.clock() + Math.max(leastMs, delayMs * world.settings.latencyScale);
};

const settle = (errand: Errand, status: number | null): void => {
  const { webhook, world } = errand;
  if (isWelcome(status)) {
    const copies = webhook.copies - 1;
    update(errand, copies === 0 ? { state: 'delivered', copies } : { copies, dueAtMs: world.clock() });
    return;
  }
  const dueAtMs = retryAtMs(errand);
  update(errand, dueAtMs === undefined ? { state: 'given_up' } : { dueAtMs });
};

const messageOf = ({ world, announcer, operation, webhook }: Errand): Message | undefined => {
  const content = announcer.write(world, operation, webhook.origin);
  if (content === undefined) return undefined;
  const { id, url } = webhook;
  return { id, url, operation, body: JSON.stringify(content), atMs: world.clock() };
};

const attempt = async (errand: Errand, fault: Fault | undefined): Promise<void> => {
  const message = messageOf(errand);
  if (message === undefined) {
    update(errand, { state: 'silent' });
    return;
  }
  errand.webhook.attempts += 1;
  const isForged = fault?.kind === 'webhook_forged';
  if (isForged) record(errand, await post(errand, message, true), fault.kind);
  const status = await post(errand, message, false);
  record(errand, status, isForged ? null : (fault?.kind ?? null));
  settle(errand, status);
};

const subjectOf = ({ provider, model, prompt }: Operation): Parameters<typeof takeFault>[1] => ({
  provider,
  kind: 'webhook',
  model,
  prompt,
});

const isEarly = (kind: FaultKind): boolean => kind === 'webhook_early';

/** What a fault makes of it before it leaves. */
const prepare = (errand: Errand): Fault | undefined => {
  const { world, operation, webhook } = errand;
  if (webhook.isPrepared) return undefined;
  webhook.isPrepared = true;
  const fault = takeFault(world.faults, subjectOf(operation), (kind) => !isEarly(kind));
  if (fault?.kind === 'webhook_lost') {
    record(errand, null, fault.kind);
    update(errand, { state: 'lost' });
  } else if (fault?.kind === 'webhook_late') update(errand, { dueAtMs: world.clock() + fault.delayMs });
  else if (fault?.kind === 'webhook_duplicate') webhook.copies = 2;
  return fault;
};

const isDue = ({ state, dueAtMs }: Webhook, nowMs: number): boolean =>
  state === 'owed' && (dueAtMs === null || dueAtMs <= nowMs);

const run = async (errand: Errand): Promise<void> => {
  const { world, webhook } = errand;
  if (world.inFlight.has(webhook)) return;
  world.inFlight.add(webhook);
  const fault = prepare(errand);
  if (isDue(webhook, world.clock())) await attempt(errand, fault);
  world.inFlight.delete(webhook);
};

/**
 * Before the answer to the submit leaves: the work was over faster than the answer could travel.
 */
export const announceEarly = async (
  world: World,
  { announcer }: EmulatedProvider,
  operation: Operation,
): Promise<void> => {
  if (announcer === undefined || operation.webhooks.length === 0 || operation.ending === 'never') return;
  const fault = takeFault(world.faults, subjectOf(operation), isEarly);
  if (fault === undefined) return;
  hasten(world, operation);
  for (const webhook of operation.webhooks) {
    world.inFlight.add(webhook);
    webhook.isPrepared = true;
    await attempt({ world, announcer, operation, webhook }, fault);
    world.inFlight.delete(webhook);
  }
};

const look = (world: World, announcers: Map<string, Announcer | undefined>): void => {
  for (const operation of world.awaited) {
    const announcer = announcers.get(operation.provider);
    if (announcer === undefined) continue;
    announcer.bringUpToDate?.(world, operation);
    advance(world, operation);
    const nowMs = world.clock();
    if (!isOver(operation, nowMs)) continue;
    for (const webhook of operation.webhooks.filter((candidate) => isDue(candidate, nowMs))) {
      void run({ world, announcer, operation, webhook });
    }
  }
};

/** Delivers what is owed, from before a restart too, until the emulator closes. */
export const startPostman = (world: World, providers: readonly EmulatedProvider[]): void => {
  const announcers = new Map(providers.map(({ id, announcer }) => [id, announcer]));
  const timer = setInterval(() => look(world, announcers), lookEveryMs);
  timer.unref();
  world.closing.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
};

/** Waits that double, and come to the whole span in the end. */
export const doublingDelays = (count: number, spanMs: number): number[] =>
  Array.from({ length: count }, (_, index) => (spanMs / (2 ** count - 1)) * 2 ** index);

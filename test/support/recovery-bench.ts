import type { Dependencies } from '../../src/activities/dependencies';
import {
  ProviderError,
  type Call,
  type Callback,
  type Cancellation,
  type Found,
  type Operation,
  type Outcome,
  type Provider,
  type Sent,
} from '../../src/providers/provider';
import type { Sender } from '../../src/stores/attempt-take';
import { readAttempt, recordSubmitted, type AttemptKey } from '../../src/stores/attempts';
import { acceptance, age, beginAttempt, makeSender, takeInTurn } from '../stores/ledger';
import { mediaModel, openActivityBench } from './activity-bench';

type Asked = { door: string; subject: unknown; call: Call };

const closed = (door: string) => (): Promise<never> => Promise.reject(new Error(`nobody expected a ${door}`));

/** What the provider does at each of its doors; the test opens those that it means. */
type Doors = {
  check: (operation: Operation) => Promise<Outcome>;
  cancel: (operation: Operation) => Promise<Cancellation>;
  find: (sent: Sent) => Promise<Operation | 'absent' | 'unknown'>;
  findAll: (traces: readonly string[]) => Promise<Found[]>;
  readCallback: (callback: Callback) => Promise<Operation | 'forged'>;
};

const shut = (): Doors => ({
  check: closed('look'),
  cancel: closed('cancel'),
  find: closed('search'),
  findAll: closed('list'),
  readCallback: closed('message'),
});

export const refusal = (
  code: ProviderError['code'],
  details: Partial<ConstructorParameters<typeof ProviderError>[2]> = {},
): ProviderError => new ProviderError(code, `told ${code}`, { accepted: 'unknown', scope: 'provider', ...details });

/** Activities on a real database; acme has every door, brick none. */
export const openRecoveryBench = async () => {
  const doors = shut();
  const asked: Asked[] = [];
  const note = (door: string, subject: unknown, call: Call): void => void asked.push({ door, subject, call });
  const acme = {
    id: 'acme',
    models: [],
    submit: closed('submit'),
    probe: () => Promise.resolve({ model: null }),
    check: (_model, operation, call) => (note('check', operation, call), doors.check(operation)),
    cancel: (_model, operation, call) => (note('cancel', operation, call), doors.cancel(operation)),
    find: (_model, sent, call) => (note('find', sent, call), doors.find(sent)),
    findAll: (_model, since, call) => (note('findAll', since, call), doors.findAll(call.traces)),
    readCallback: (_model, callback, call) => (note('readCallback', callback, call), doors.readCallback(callback)),
  } satisfies Provider;
  const brick: Provider = { id: 'brick', models: [], submit: acme.submit, probe: acme.probe };
  const models = [mediaModel(), mediaModel({ id: 'brick/reel', provider: 'brick' })];
  const bench = await openActivityBench([acme, brick], models);
  const { dependencies } = bench;
  const { database } = dependencies;

  const take = async (sender: Partial<Sender> = {}): Promise<AttemptKey> => {
    const key = await beginAttempt(database);
    await takeInTurn(database, key, makeSender(sender));
    return key;
  };

  return {
    ...bench,
    acme,
    doors,
    asked,
    doorsAsked: (): string[] => asked.map(({ door }) => door),
    reset: () => {
      Object.assign(doors, shut());
      asked.length = 0;
    },
    /** As if another provider stood there under acme's name. */
    withAcme: (changed: Partial<Provider>): Dependencies => ({
      ...dependencies,
      providers: [{ ...acme, ...changed }, brick],
    }),
    /** Attempt 1 as its sender left it, this long ago. */
    sent: async (agoMs: number, sender: Partial<Sender> = {}): Promise<AttemptKey> => {
      const key = await take(sender);
      await age(database, key, agoMs);
      return key;
    },
    /** Attempt 1 with work at the provider. */
    submitted: async (sender: Partial<Sender> = {}): Promise<AttemptKey> => {
      const key = await take(sender);
      await recordSubmitted(database, key, acceptance());
      return key;
    },
    attemptOf: (key: AttemptKey) => readAttempt(database, key),
    /** The deadline was this long ago. */
    overdue: ({ generationId }: AttemptKey, ms: number) => database.$executeRaw`
      UPDATE generations SET deadline_at = now() - make_interval(secs => ${ms / 1000}::float8) WHERE id = ${generationId}`,
  };
};

export type RecoveryBench = Awaited<ReturnType<typeof openRecoveryBench>>;

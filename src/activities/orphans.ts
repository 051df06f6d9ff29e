import type { Model } from '../domain/model';
import type { Credential, Provider } from '../providers/provider';
import { recordSubmitted, type AttemptKey } from '../stores/attempts';
import { isOwned, listSent, recordRepair } from '../stores/reconciliation';
import { keyOfTrace, traceOf, type Dependencies } from './dependencies';
import { withHeartbeat } from './heartbeat';

/** Older work has ended long since at every provider that can list. */
const windowMs = 24 * 3_600_000;

const listTimeoutMs = 60_000;

type Line = { provider: Provider; credential: Credential };

type Stray = { key: AttemptKey; operation: { id: string } };

const linesOf = ({ providers, credentials }: Dependencies): Line[] =>
  providers
    .filter((provider) => provider.findAll !== undefined)
    .flatMap((provider) => (credentials[provider.id] ?? []).map((credential) => ({ provider, credential })));

const listStrays = async (
  { database }: Dependencies,
  { provider, credential }: Line,
  { model, keys, since }: { model: Model; keys: readonly AttemptKey[]; since: Date },
): Promise<Stray[]> => {
  const traces = keys.map(traceOf);
  const call = { credential, trace: traces[0] ?? '', traces, deadlineMs: listTimeoutMs };
  const listed = (await provider.findAll?.(model, since, call)) ?? [];
  const strays: Stray[] = [];
  for (const { trace, operation } of listed) {
    const key = keyOfTrace(trace);
    const owner = { provider: provider.id, credential: credential.alias, operationId: operation.id };
    if (key && !(await isOwned(database, owner))) strays.push({ key, operation });
  }
  return strays;
};

const groupByModel = (sent: readonly (AttemptKey & { model: string })[]): Map<string, AttemptKey[]> => {
  const groups = new Map<string, AttemptKey[]>();
  for (const { model, ...key } of sent) groups.set(model, [...(groups.get(model) ?? []), key]);
  return groups;
};

/** Of one model, since then, of what was sent with one key. */
type List = { line: Line; model: Model; keys: readonly AttemptKey[]; since: Date };

const listsOf = async ({ database, models, clock }: Dependencies, line: Line): Promise<List[]> => {
  const since = new Date(clock().getTime() - windowMs);
  const place = { provider: line.provider.id, credential: line.credential.alias };
  const groups = groupByModel(await listSent(database, { ...place, since }));
  return [...groups].flatMap(([id, keys]) => {
    const model = models.find((known) => known.id === id);
    // a result that came with the answer has no operation on its row: it would be taken for somebody else's
    return model && model.synchronous !== true ? [{ line, model, keys, since }] : [];
  });
};

/** What runs at a provider under a mark of ours and stands in no row gets one: it is watched, stopped and booked. */
const adoptStrays = async (dependencies: Dependencies, { line, ...list }: List): Promise<number> => {
  const { database, logger } = dependencies;
  const strays = await listStrays(dependencies, line, list);
  for (const { key, operation } of strays) {
    const owner = await recordSubmitted(database, key, { operation, providerRequestId: null });
    logger.warn({ attempt: traceOf(key), owner: owner.number }, 'work was found that nobody knew of');
    await recordRepair(database, key.generationId, 'orphan');
  }
  return strays.length;
};

/** Asks the providers that can list for work of ours that we do not know of. Returns how much there was. */
export const reconcileOrphans = (dependencies: Dependencies): Promise<{ adopted: number; failed: number }> =>
  withHeartbeat(() => adoptAll(dependencies));

const adoptAll = async (dependencies: Dependencies): Promise<{ adopted: number; failed: number }> => {
  const done = { adopted: 0, failed: 0 };
  const lists = await Promise.all(linesOf(dependencies).map((line) => listsOf(dependencies, line)));
  for (const list of lists.flat()) {
    try {
      done.adopted += await adoptStrays(dependencies, list);
    } catch (error) {
      done.failed += 1;
      const { provider, credential } = list.line;
      const told = { provider: provider.id, credential: credential.alias, model: list.model.id };
      dependencies.logger.warn({ ...told, message: (error as Error).message }, 'cannot list');
    }
  }
  return done;
};

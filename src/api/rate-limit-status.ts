import { Router, type RequestHandler } from 'express';
import { priorities } from '../domain/turns';
import { tellAmount } from '../stores/limit-overrides';
import { readKeyUse, type KeyUse } from '../stores/provider-statistics';
import { readQueues } from '../stores/turns';
import { requireScope } from './authenticate';
import type { ApiDependencies } from './dependencies';
import { readLimits, type LimitRow } from './limits';
import { refuseMethod } from './problem-details';
import { readProviders, type KeyView, type ProviderResource } from './provider-resource';

type Lengths = Record<(typeof priorities)[number], number>;

/** By the priorities' names. */
export const toLengths = (lines: readonly { priority: number; count: number }[]): Lengths => {
  const lengthOf = (index: number): number =>
    lines.filter(({ priority }) => priority === index).reduce((sum, { count }) => sum + count, 0);
  return Object.fromEntries(priorities.map((name, index) => [name, lengthOf(index)])) as Lengths;
};

const roundShare = (share: number): number => Math.round(share * 10_000) / 10_000;

const toLimit = ({ model, kind, limit, used, resetsAt }: LimitRow): object => {
  const left = Math.max(0, Number(limit) - Number(used));
  return { kind, model, limit, used, remaining: tellAmount(kind, left), resetsAt };
};

type Uses = { of(alias: string): { lastMinute: number; lastDay: number }; total: number };

const usesOf = (provider: string, uses: readonly KeyUse[], keys: readonly KeyView[]): Uses => {
  const own = uses.filter((use) => use.provider === provider && keys.some(({ alias }) => alias === use.alias));
  return {
    of: (alias) => own.find((use) => use.alias === alias) ?? { lastMinute: 0, lastDay: 0 },
    total: own.reduce((sum, { lastDay }) => sum + lastDay, 0),
  };
};

/** How even the keys are used: the least used one's requests over the most used one's. */
const balanceOf = (keys: readonly KeyView[], uses: Uses): number | null => {
  const sent = keys.map(({ alias }) => uses.of(alias).lastDay);
  return keys.length < 2 || uses.total === 0 ? null : roundShare(Math.min(...sent) / Math.max(...sent));
};

const describeKey = (key: KeyView, limits: readonly LimitRow[], uses: Uses): object => {
  const { lastMinute, lastDay } = uses.of(key.alias);
  return {
    ...{ alias: key.alias, status: key.status, cooldownUntil: key.cooldownUntil },
    limits: limits.filter(({ credential }) => credential === key.alias).map(toLimit),
    requests: { lastMinute, lastDay },
    share: uses.total === 0 ? null : roundShare(lastDay / uses.total),
  };
};

type Found = {
  limits: readonly LimitRow[];
  uses: readonly KeyUse[];
  queues: Awaited<ReturnType<typeof readQueues>>;
};

const describe = ({ id, paused, credentials }: ProviderResource, found: Found): object => {
  const uses = usesOf(id, found.uses, credentials);
  const limits = found.limits.filter(({ provider }) => provider === id);
  return {
    ...{ provider: id, paused },
    queue: toLengths(found.queues.find(({ provider }) => provider === id)?.waiting ?? []),
    keys: credentials.map((key) => describeKey(key, limits, uses)),
    balance: balanceOf(credentials, uses),
  };
};

const answer =
  (dependencies: ApiDependencies): RequestHandler =>
  async (_request, response) => {
    const { database } = dependencies;
    const providers = (await readProviders(dependencies)).filter(({ configured }) => configured);
    const [{ rows }, uses, queues] = await Promise.all([
      readLimits(
        dependencies,
        providers.map(({ id }) => id),
      ),
      readKeyUse(database),
      readQueues(database),
    ]);
    response.json({
      success: true,
      providers: providers.map((provider) => describe(provider, { limits: rows, uses, queues })),
    });
  };

/** The older systems' view of limits: of every provider that has a key. */
export const createRateLimitStatusRoutes = (dependencies: ApiDependencies): Router => {
  const routes = Router();
  routes.route('/rate-limit-status').get(requireScope('operate'), answer(dependencies)).all(refuseMethod('GET'));
  return routes;
};

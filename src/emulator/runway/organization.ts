import { z } from 'zod';
import { jsonAnswer, type Answer } from '../answer';
import { chargeUsd, type Operation } from '../operations';
import type { Call } from '../provider';
import { ownOperations } from '../submit';
import { invalidBody } from './problems';

export const creditUsd = 0.01;
const dayMs = 86_400_000;

export const creditsCharged = (call: Call, operation: Operation): number =>
  Math.round(chargeUsd(operation, call.world.clock()) / creditUsd);

export const showOrganization =
  (models: readonly string[]) =>
  (call: Call): Answer => {
    const nowMs = call.world.clock();
    const own = ownOperations(call);
    const spent = own.reduce((sum, operation) => sum + creditsCharged(call, operation), 0);
    const limits = call.world.settings.limits['runway'];
    const perModel = (value: (model: string) => unknown): Record<string, unknown> =>
      Object.fromEntries(models.map((model) => [model, value(model)]));
    const dailyGenerations = (model: string): number =>
      own.filter((operation) => operation.model === model && operation.submittedAtMs > nowMs - dayMs).length;
    return jsonAnswer(200, {
      creditBalance: 1_000_000 - spent,
      tier: {
        maxMonthlyCreditSpend: 100_000,
        models: perModel(() => ({
          maxConcurrentGenerations: limits?.concurrent ?? null,
          maxDailyGenerations: limits?.requestsPerDay ?? null,
        })),
      },
      usage: { models: perModel((model) => ({ dailyGenerations: dailyGenerations(model) })) },
    });
  };

const usageSchema = z.strictObject({ startDate: z.iso.date().optional(), beforeDate: z.iso.date().optional() });

const dayOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10);

type Span = { startMs: number; beforeMs: number };

const spanOf = ({ startDate, beforeDate }: z.infer<typeof usageSchema>, nowMs: number): Span => {
  const startMs = Date.parse(startDate ?? dayOf(nowMs - 30 * dayMs));
  // The default of thirty days after the start would leave today out.
  const otherwise = startDate === undefined ? Date.parse(dayOf(nowMs + dayMs)) : startMs + 30 * dayMs;
  return { startMs, beforeMs: beforeDate === undefined ? otherwise : Date.parse(beforeDate) };
};

const sumBy = (operations: Operation[], call: Call): Map<string, Map<string, number>> => {
  const days = new Map<string, Map<string, number>>();
  for (const operation of operations) {
    const day = dayOf(operation.submittedAtMs);
    const models = days.get(day) ?? new Map<string, number>();
    models.set(operation.model, (models.get(operation.model) ?? 0) + creditsCharged(call, operation));
    days.set(day, models);
  }
  return days;
};

/** Credits by UTC day and model, at most 90 days at a time. */
export const showUsage = (call: Call): Answer => {
  const parsed = usageSchema.safeParse(call.body ?? {});
  if (!parsed.success) return invalidBody(parsed.error.issues);
  const { startMs, beforeMs } = spanOf(parsed.data, call.world.clock());
  if (beforeMs - startMs > 90 * dayMs) {
    return invalidBody([{ path: ['beforeDate'], message: 'must be at most 90 days after startDate' }]);
  }
  const own = ownOperations(call).filter(({ submittedAtMs }) => submittedAtMs >= startMs && submittedAtMs < beforeMs);
  const results = [...sumBy(own, call)].map(([date, models]) => ({
    date,
    usedCredits: [...models].map(([model, amount]) => ({ model, amount })),
  }));
  return jsonAnswer(200, { results, models: [...new Set(own.map(({ model }) => model))] });
};

import { ApplicationFailure } from '@temporalio/common';
import { failures, SureshotError } from '../domain/failure';
import { analyzeRequest } from './analysis';
import { storeArtifacts } from './artifacts';
import { cancelOperation, releaseAttempt } from './cancellation';
import { chooseCandidates } from './choice';
import type { Dependencies } from './dependencies';
import { checkProviders } from './health';
import { fetchInputs } from './inputs';
import { giveOnAll } from './rounds';
import { pollAttempt } from './look';
import { reconcileOrphans } from './orphans';
import { planAttempt } from './plan';
import { probeProvider } from './probe';
import { reconcileGenerations } from './reconciliation';
import { settleGeneration } from './settlement';
import { submitAttempt } from './submission';

/** Every activity by its public name. */
const activities = {
  analyzeRequest,
  fetchInputs,
  chooseCandidates,
  planAttempt,
  submitAttempt,
  pollAttempt,
  storeArtifacts,
  cancelOperation,
  releaseAttempt,
  settleGeneration,
  reconcileGenerations,
  reconcileOrphans,
  probeProvider,
  checkProviders,
};

/** Steps after which work may have ended at a provider, or will not be sent. */
const mayMakeRoom: ReadonlySet<string> = new Set<keyof typeof activities>([
  'submitAttempt',
  'pollAttempt',
  'cancelOperation',
  'releaseAttempt',
  'settleGeneration',
]);

const isUnderway = (result: unknown): boolean => {
  const { state } = (result ?? {}) as { state?: string };
  return state === 'waiting' || state === 'pending';
};

type Bound<Activity> = Activity extends (dependencies: Dependencies, ...input: infer Input) => infer Result
  ? (...input: Input) => Result
  : never;

export type Activities = { [Name in keyof typeof activities]: Bound<(typeof activities)[Name]> };

/** Failures cross into the workflow as type strings; messages stay here, in the log and on the row. */
const translate = (error: unknown, name: string): unknown => {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof SureshotError)
    return ApplicationFailure.create({
      type: error.code,
      message: error.code,
      nonRetryable: !failures[error.code].retryable,
    });
  return ApplicationFailure.create({ type: 'system_unavailable', message: `${name} could not be carried out` });
};

const bind =
  (
    name: string,
    activity: (dependencies: Dependencies, ...input: never[]) => Promise<unknown>,
    dependencies: Dependencies,
  ) =>
  async (...input: never[]): Promise<unknown> => {
    try {
      const result = await activity(dependencies, ...input);
      // what has ended makes room for somebody
      if (mayMakeRoom.has(name) && !isUnderway(result)) void giveOnAll(dependencies, { due: false });
      return result;
    } catch (error) {
      if (!(error instanceof ApplicationFailure)) {
        dependencies.logger.warn(
          { activity: name, input, error: (error as Error).message },
          'activity failed; it is retried',
        );
      }
      throw translate(error, name);
    }
  };

export const createActivities = (dependencies: Dependencies): Activities =>
  Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [name, bind(name, activity, dependencies)]),
  ) as Activities;

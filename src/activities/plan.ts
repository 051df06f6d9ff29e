import { planAttempt as plan, type Plan } from '../stores/attempt-plan';
import { findModel, type Dependencies } from './dependencies';

/** Decides from the ledger whether there is another attempt to make, and allocates it. */
export const planAttempt = async (
  dependencies: Dependencies,
  { generationId }: { generationId: string },
): Promise<Plan> => {
  const planned = await plan(dependencies.database, generationId, {
    holdMs: dependencies.settings.holdMs,
    policyOf: ({ request }) => ({
      onAmbiguous: request.onAmbiguous,
      resubmitUpToUsd: dependencies.settings.resubmitUpToUsd,
      fallback: request.routing.fallback,
    }),
    priceVersionOf: (id) => {
      const { price } = findModel(dependencies, id);
      return price === null ? `${id}@unknown` : `${id}@${price.readOn}`;
    },
  });
  dependencies.reached('planned');
  return planned;
};

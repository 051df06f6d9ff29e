import type { Database } from '../../src/stores/database';

/** As if nothing had been generated and no provider had been heard of: cheaper than another database. */
export const clearProviders = async (database: Database): Promise<void> => {
  await database.$executeRaw`
    TRUNCATE generations, attempts, sends, turns, queues, provider_credentials, breakers, limit_overrides, provider_events,
      health_checks CASCADE`;
};

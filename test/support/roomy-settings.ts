import { parse, stringify } from 'yaml';
import { catalogue } from '../../src/providers/catalogue';

type Settings = { providers?: Record<string, object>; health?: object };

const roomy = {
  limits: { jobsInFlight: null, requestsPerMinute: null, cooldownSeconds: 0.2 },
  breaker: { failures: 1_000_000, minimumCount: 1_000_000 },
};

/**
 * `SURESHOT_CONFIG` for tests that are not about capacity: without the usual limits, without checks of health, and with
 * breakers that never open. What the test itself sets of a provider stands above that.
 */
export const composeRoomySettings = (text: string): string => {
  const own = (parse(text) ?? {}) as Settings;
  const providers = [...new Set(catalogue.map(({ provider }) => provider))].map((provider) => [
    provider,
    // a look that a test has not asked for would use up its fault
    { ...roomy, ...(own.health === undefined && { healthCheck: false }), ...own.providers?.[provider] },
  ]);
  return stringify({ ...own, providers: Object.fromEntries(providers) as Record<string, object> });
};

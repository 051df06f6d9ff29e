import { listAccepting, recordHealthCheck } from '../stores/health-checks';
import { listProviderCredentials } from '../stores/provider-credentials';
import type { Dependencies } from './dependencies';
import { probeProvider } from './probe';

/** Real work that was accepted within this time has shown that the provider is well. */
const shownBySeconds = 60;

type Check = { provider: string; credential: string };

/** Of each provider that may be asked, the first key that nobody has switched off; where all are, the first. */
const chooseChecks = async (dependencies: Dependencies): Promise<Check[]> => {
  const { database, providers, credentials, settings } = dependencies;
  const [rows, accepting] = await Promise.all([
    listProviderCredentials(database),
    listAccepting(database, shownBySeconds),
  ]);
  const isDisabled = (provider: string, alias: string): boolean =>
    rows.some((row) => row.provider === provider && row.alias === alias && row.disabledBy !== null);
  return providers
    .map(({ id }) => id)
    .filter((id) => settings.checksHealthOf(id) && !accepting.has(id))
    .flatMap((id) => {
      const aliases = (credentials[id] ?? []).map(({ alias }) => alias);
      const chosen = aliases.find((alias) => !isDisabled(id, alias)) ?? aliases[0];
      return chosen === undefined ? [] : [{ provider: id, credential: chosen }];
    });
};

/** `false`: the provider, or the key, is not well. */
const check = async (dependencies: Dependencies, { provider, credential }: Check): Promise<boolean> => {
  const { code, latencyMs, model } = await probeProvider(dependencies, { provider, credential });
  await recordHealthCheck(dependencies.database, { provider, credential, model, code, latencyMs });
  return code === null;
};

/**
 * Makes the cheapest call there is to every provider of which real work has lately shown nothing. One that cannot be asked
 * does not keep the others from being asked.
 */
export const checkProviders = async (dependencies: Dependencies): Promise<{ checked: number; failed: number }> => {
  const checks = await chooseChecks(dependencies);
  const ends = await Promise.allSettled(checks.map((one) => check(dependencies, one)));
  const broken = ends.find((end) => end.status === 'rejected');
  if (broken) throw broken.reason;
  return { checked: checks.length, failed: ends.filter((end) => end.status === 'fulfilled' && !end.value).length };
};

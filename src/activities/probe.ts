import type { ProbeResult } from '../domain/probe';
import { ProviderError } from '../providers/provider';
import { findProvider, openListed, type Dependencies } from './dependencies';

const probeTimeoutMs = 15_000;

/** One call with one key. What it shows is the answer, also where it is a refusal: nothing is tried again. */
export const probeProvider = async (
  dependencies: Dependencies,
  { provider: id, credential: alias }: { provider: string; credential: string },
): Promise<ProbeResult> => {
  const provider = findProvider(dependencies, id);
  const credential = await openListed(dependencies, { provider: id, credential: alias });
  if (!credential) return { latencyMs: 0, model: null, code: 'provider_auth' };
  await provider.prepare?.(); // loading the SDK is not the provider's latency
  const startedAt = performance.now();
  const answer = (model: string | null, code: ProbeResult['code']): ProbeResult => ({
    latencyMs: Math.round(performance.now() - startedAt),
    model,
    code,
  });
  try {
    const { model } = await provider.probe({ credential, trace: `probe-${id}`, deadlineMs: probeTimeoutMs });
    return answer(model, null);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    dependencies.logger.warn({ provider: id, credential: alias, code: error.code }, error.message);
    return answer(null, error.code);
  }
};

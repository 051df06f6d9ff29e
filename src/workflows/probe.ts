import type { ProbeResult } from '../domain/probe';
import type { ProbeInput } from './messages';
import { probeProvider } from './proxies';

/** The one way to try a key: the API calls no provider itself. */
export async function probe(input: ProbeInput): Promise<ProbeResult> {
  return probeProvider(input);
}

import type { Answer } from '../answer';
import type { Call, Route } from '../provider';
import { invalid, problemAnswer } from './problems';
import type { Version } from './request';

const versions: readonly string[] = ['2023-06-01', '2026-10-21'] satisfies Version[];

const readVersion = ({ headers }: Call): string | undefined => {
  const version = headers['anthropic-version'];
  return Array.isArray(version) ? version[0] : version;
};

/** Of a request that came through `versioned`. */
export const versionOf = (call: Call): Version => (readVersion(call) === '2023-06-01' ? '2023-06-01' : '2026-10-21');

const versionProblem = (call: Call): Answer | undefined => {
  const version = readVersion(call);
  if (version === undefined || version === '') return problemAnswer(invalid('anthropic-version: header is required'));
  return versions.includes(version)
    ? undefined
    : problemAnswer(invalid(`anthropic-version: "${version}" is not a valid version`));
};

/** Every route wants to be told its version. */
export const versioned = (route: Route): Route => ({
  ...route,
  handle: (call) => versionProblem(call) ?? route.handle(call),
});

/** Prisma's: not reachable, timed out, closed, no connection free in time, no transaction begun in time. */
const prismaCodes: ReadonlySet<string> = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037']);

const driverKinds: ReadonlySet<string> = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
]);

/** SQLSTATE: connection failures, insufficient resources, shutting down or starting up. */
const serverCodes = /^(08|53|57P)/;

/** Of the socket, where the adapter lets it through. */
const socketCodes: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

/** pg's errors have no code. */
const driverWords = /Connection terminated|timeout exceeded when trying to connect/;

type DriverCause = { kind?: string; originalCode?: string };
type Known = { code?: string; meta?: { driverAdapterError?: { cause?: DriverCause } } };

const isDriversWord = ({ kind = '', originalCode = '' }: DriverCause): boolean =>
  driverKinds.has(kind) || serverCodes.test(originalCode);

/**
 * PostgreSQL says "not now", in the shapes Prisma 7.10 with adapter-pg was seen to give (refused, unknown host, silent
 * host, closed at once, backend killed, pool exhausted). Duck-typed: this room does not know Prisma.
 */
export const isDatabaseDown = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const { code = '', meta } = error as Known;
  const isKnown = prismaCodes.has(code) || socketCodes.has(code) || driverWords.test(error.message);
  return isKnown || isDriversWord(meta?.driverAdapterError?.cause ?? {});
};

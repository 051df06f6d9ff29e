import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './answer';
import type { Fault, RequestKind } from './faults';
import type { Admission, Scope } from './meters';
import type { Operation } from './operations';
import type { SigningKeys } from './signing-keys';
import type { World } from './world';

/** One request to a provider, as its routes see it. */
export type Call = {
  world: World;
  provider: string;
  kind: RequestKind;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  query: URLSearchParams;
  params: Record<string, string>;
  /** Parsed JSON, a Buffer for anything else, undefined without a body. */
  body: unknown;
  /** `http://host:port` as the client sees this server. */
  origin: string;
  key: string;
  /** The key's fingerprint. */
  credential: string;
  /** A fault that decides how an accepted operation ends. */
  fault: Fault | undefined;
  /** Of a submit: what it was counted as when it was let in. */
  admission: Admission | undefined;
  /** Filled by the route: what the request turned out to be about. */
  touched: Operation | undefined;
  notes: string[];
};

export type Subject = {
  model?: string | undefined;
  prompt?: string | undefined;
  operation?: Operation | undefined;
};

export type Describe = (call: Call) => Subject;

export type Route = {
  method: 'get' | 'post' | 'put' | 'delete';
  /** An express path below the provider's prefix. */
  path: string;
  kind: RequestKind;
  /** Needs no key: an address that was signed, or a public one. */
  isOpen?: true;
  /** What faults can be matched with, read leniently before anything is validated. */
  describe?: Describe;
  handle: (call: Call) => Answer | Promise<Answer>;
};

export type Failure = {
  status: number;
  retryAfterSeconds?: number | undefined;
  /** Of a 429: which of the account's limits was hit. */
  scope?: Scope;
  /** That limit. */
  most?: number;
};

/** A webhook as the provider words it, before it is signed. */
export type Message = {
  id: string;
  url: string;
  operation: Operation;
  body: string;
  atMs: number;
};

/** How a provider tells an address that an operation is over. */
export type Announcer = {
  /** Waits between attempts, at the provider's own pace (latencyScale 1). */
  retryDelaysMs: readonly number[];
  timeoutMs: number;
  /** Ends that only show when somebody looks. */
  bringUpToDate?: (world: World, operation: Operation) => void;
  /** The body; undefined where the provider has no message for such an end. */
  write: (world: World, operation: Operation, origin: string) => unknown;
  sign: (keys: Pick<SigningKeys, 'of'>, message: Message) => Record<string, string>;
};

/** A provider is this object: its wire, and its own words for what every provider has. */
export type EmulatedProvider = {
  id: string;
  prefix: string;
  /** Over its concurrency an operation waits (`queue`) or is refused with 429 (`refuse`). */
  overLimit: 'queue' | 'refuse';
  readKey: (headers: IncomingHttpHeaders, query: URLSearchParams) => string | undefined;
  routes: Route[];
  unauthorized: (key: string | undefined, call: Call) => Answer;
  exhausted: (call: Call) => Answer;
  /** A failure of its infrastructure, or a limit. */
  fail: (failure: Failure, call: Call) => Answer;
  notFound: (call: Pick<Call, 'method' | 'path'>) => Answer;
  malformed: (reason: string, call: Call) => Answer;
  /** An artifact URL past its time; 410 unless said otherwise. */
  artifactExpired?: () => Answer;
  /** Headers on every answer. */
  signature?: (call: Call) => Record<string, string>;
  announcer?: Announcer;
};

import { z } from 'zod';

const requestKinds = ['submit', 'poll', 'result', 'cancel', 'artifact', 'other'] as const;
export type RequestKind = (typeof requestKinds)[number];

/** Webhooks are no requests to a provider but requests of it. */
const faultOperations = [...requestKinds, 'webhook'] as const;
type FaultOperation = (typeof faultOperations)[number];

/** What becomes of the answer. `normal`: the fault acts elsewhere (on the operation's fate, or as an answer of its own). */
type Delivery = 'normal' | 'drop' | 'stall_headers' | 'stall_body' | 'truncate' | 'garble' | 'empty';

type FaultTraits = {
  delivery: Delivery;
  /** Whether the request takes effect (a submit is accepted and booked) although its answer goes wrong. */
  accepted: boolean;
  /** What it applies to when the fault names no operation; undefined = submit, poll, result and cancel alike. */
  operation?: FaultOperation;
};

const webhookKinds = ['webhook_lost', 'webhook_duplicate', 'webhook_early', 'webhook_late', 'webhook_forged'] as const;

const webhook = { delivery: 'normal', accepted: true, operation: 'webhook' } as const;

const faultKinds = {
  status: { delivery: 'normal', accepted: false },
  html: { delivery: 'normal', accepted: false },
  slow: { delivery: 'normal', accepted: true },
  drop_before_headers: { delivery: 'drop', accepted: false },
  drop_after_accept: { delivery: 'drop', accepted: true, operation: 'submit' },
  truncated_json: { delivery: 'truncate', accepted: true },
  invalid_json: { delivery: 'garble', accepted: true },
  empty_object: { delivery: 'empty', accepted: true },
  // The worst case on purpose: the client cannot know, and the operation exists.
  stall_headers: { delivery: 'stall_headers', accepted: true },
  stall_body: { delivery: 'stall_body', accepted: true },
  stuck: { delivery: 'normal', accepted: true, operation: 'submit' },
  failed: { delivery: 'normal', accepted: true, operation: 'submit' },
  content_refused: { delivery: 'normal', accepted: true, operation: 'submit' },
  filtered: { delivery: 'normal', accepted: true, operation: 'submit' },
  artifact_expired: { delivery: 'normal', accepted: true, operation: 'artifact' },
  artifact_truncated: { delivery: 'truncate', accepted: true, operation: 'artifact' },
  artifact_wrong_length: { delivery: 'normal', accepted: true, operation: 'artifact' },
  artifact_oversized: { delivery: 'normal', accepted: true, operation: 'artifact' },
  webhook_lost: webhook,
  webhook_duplicate: webhook,
  webhook_early: webhook,
  webhook_late: webhook,
  webhook_forged: webhook,
} as const satisfies Record<string, FaultTraits>;

export type FaultKind = keyof typeof faultKinds;

const isWebhookKind = (kind: FaultKind): boolean => webhookKinds.some((known) => known === kind);

export const faultSchema = z
  .strictObject({
    provider: z.string(),
    operation: z.enum(faultOperations).optional(),
    kind: z.enum(Object.keys(faultKinds) as [FaultKind, ...FaultKind[]]),
    /** null: until deleted. */
    times: z.int().min(1).nullable().default(1),
    match: z.strictObject({ model: z.string().optional(), prompt: z.string().optional() }).default({}),
    /** 200 too: Cloudflare puts failures into answers that say they are fine. */
    status: z.int().min(200).max(599).optional(),
    /** Seconds. */
    retryAfter: z.number().min(0).optional(),
    /** Overrides whether the request takes effect: a 502 after acceptance, a stall before it. */
    accepted: z.boolean().optional(),
    /** Waited before anything is answered; how late a webhook is. */
    delayMs: z.int().min(0).default(0),
    /** Of artifact_oversized. */
    sizeBytes: z
      .int()
      .min(1)
      .default(16 * 2 ** 30),
    /** Of status: instead of the provider's own body. */
    body: z.unknown().optional(),
    headers: z.record(z.string(), z.string()).optional(),
  })
  .refine((fault) => fault.kind !== 'status' || fault.status !== undefined, {
    path: ['status'],
    message: 'kind "status" needs a status',
  })
  .refine(({ kind, operation }) => operation !== 'webhook' || isWebhookKind(kind), {
    path: ['kind'],
    message: `operation "webhook" takes one of ${webhookKinds.join(', ')}`,
  })
  .refine(({ kind, operation = 'webhook' }) => operation === 'webhook' || !isWebhookKind(kind), {
    path: ['operation'],
    message: `kinds ${webhookKinds.join(', ')} take no operation but "webhook"`,
  })
  .refine(({ kind, delayMs }) => kind !== 'webhook_late' || delayMs > 0, {
    path: ['delayMs'],
    message: 'kind "webhook_late" needs a delayMs of at least 1',
  });

export type Fault = z.infer<typeof faultSchema> & { id: string; applied: number };

export type FaultSubject = {
  provider: string;
  kind: FaultOperation;
  model: string | null;
  prompt: string | null;
};

const reaches = (fault: Fault, kind: FaultOperation): boolean => {
  const traits: FaultTraits = faultKinds[fault.kind];
  const operation = fault.operation ?? traits.operation;
  return operation === undefined ? !['artifact', 'other', 'webhook'].includes(kind) : operation === kind;
};

const matches = (fault: Fault, subject: FaultSubject): boolean =>
  fault.provider === subject.provider &&
  reaches(fault, subject.kind) &&
  (fault.match.model === undefined || fault.match.model === subject.model) &&
  (fault.match.prompt === undefined || (subject.prompt ?? '').includes(fault.match.prompt));

const isLeft = ({ times, applied }: Fault): boolean => times === null || applied < times;

/** The oldest fault that fits, used up by one. */
export const takeFault = (
  faults: Fault[],
  subject: FaultSubject,
  isWanted: (kind: FaultKind) => boolean = () => true,
): Fault | undefined => {
  const fault = faults.find(
    (candidate) => isLeft(candidate) && isWanted(candidate.kind) && matches(candidate, subject),
  );
  if (fault !== undefined) fault.applied += 1;
  return fault;
};

export const takesEffect = (fault: Fault): boolean => fault.accepted ?? faultKinds[fault.kind].accepted;

export const deliveryOf = (fault: Fault | undefined): Delivery =>
  fault === undefined ? 'normal' : faultKinds[fault.kind].delivery;

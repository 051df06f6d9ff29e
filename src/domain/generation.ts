import type { Failure } from './failure';
import type { Money } from './money';

export const media = ['video', 'image', 'speech', 'text'] as const;
export type Medium = (typeof media)[number];

export const generationStatuses = ['queued', 'running', 'succeeded', 'failed', 'canceled', 'expired'] as const;
export type GenerationStatus = (typeof generationStatuses)[number];
export type TerminalStatus = Extract<GenerationStatus, 'succeeded' | 'failed' | 'canceled' | 'expired'>;

export const isTerminal = (status: GenerationStatus): status is TerminalStatus =>
  status !== 'queued' && status !== 'running';

export type Phase =
  'analyzing' | 'choosing' | 'waiting_for_capacity' | 'submitting' | 'polling' | 'storing' | 'needs_attention';

export type AttemptStatus =
  | 'planned'
  | 'submitting'
  | 'submitted'
  | 'succeeded'
  | 'failed'
  | 'canceled'
  | 'rejected'
  | 'ambiguous'
  | 'superseded';

export const strategies = [
  'balanced',
  'cost',
  'speed',
  'quality',
  'availability',
  'round_robin',
  'weighted',
  'least_latency',
] as const;
export type Strategy = (typeof strategies)[number];

export const ambiguityPolicies = ['auto', 'hold', 'fail_over', 'resubmit'] as const;
export type AmbiguityPolicy = (typeof ambiguityPolicies)[number];

/** How the caller named an image or video: by address, by an upload, by an earlier artifact, or in the request itself. */
export type MediaOrigin =
  { url: string } | { upload: string } | { generation: string; index: number } | { inline: true };

/** Where our blob store has the bytes. `contentType` is what the bytes are, whatever anybody called them. */
export type StoredMedia = { key: string; contentType: string; bytes: number; sha256: string };

/** An image or video of the input. Only what is named by address is fetched after the acceptance: `null` until then. */
export type MediaInput = { origin: MediaOrigin; stored: StoredMedia | null };

export type Message = { role: 'system' | 'user' | 'assistant'; content: string };

/** How a voice speaks. 0 to 1 but for `speed` (1: as usual). `null` is the voice's own setting. */
export type VoiceSettings = {
  stability: number | null;
  similarityBoost: number | null;
  style: number | null;
  useSpeakerBoost: boolean | null;
  speed: number | null;
};

/**
 * What to make, in one shape for every medium. `null` means the caller left the choice to the model. `Media` is what
 * stands for an image or video: a reference while the generation is planned, the bytes where it is sent.
 */
export type GenerationInput<Media = MediaInput> = {
  task: 'speech' | 'sound_effect' | null;
  prompt: string | null;
  negativePrompt: string | null;
  /** A video's first frame, an image to edit, or what a text is about. */
  image: Media | null;
  lastFrame: Media | null;
  referenceImages: Media[];
  video: Media | null;
  durationSeconds: number | null;
  aspectRatio: string | null;
  resolution: string | null;
  /** `WIDTHxHEIGHT` in pixels. */
  size: string | null;
  quality: string | null;
  count: number;
  audio: boolean | null;
  seed: number | null;
  /** An id of the table of styles. */
  style: string | null;
  /** `#rrggbb`. */
  colors: string[];
  voice: string | null;
  voiceSettings: VoiceSettings | null;
  format: string | null;
  system: string | null;
  messages: Message[];
  /** JSON schema the text must follow. */
  schema: Record<string, unknown> | null;
  maxTokens: number | null;
  temperature: number | null;
};

/** Everything left to the model. */
export const blankInput: GenerationInput<never> = {
  task: null,
  prompt: null,
  negativePrompt: null,
  image: null,
  lastFrame: null,
  referenceImages: [],
  video: null,
  durationSeconds: null,
  aspectRatio: null,
  resolution: null,
  size: null,
  quality: null,
  count: 1,
  audio: null,
  seed: null,
  style: null,
  colors: [],
  voice: null,
  voiceSettings: null,
  format: null,
  system: null,
  messages: [],
  schema: null,
  maxTokens: null,
  temperature: null,
};

export type Routing = {
  strategy: Strategy;
  maxCostUsd: Money | null;
  /** Models, families or providers. With an exact `model`, `allow` names the fallbacks. */
  allow: string[];
  deny: string[];
  fallback: boolean;
};

/** An accepted request with every default filled in; what `generations.request` holds. */
export type GenerationRequest = {
  medium: Medium;
  /** `auto`, a canonical id, a provider's own id or a family. */
  model: string;
  /** Who named it where the request left it open. Absent: the request, or nobody. */
  modelFrom?: 'user' | 'tenant' | 'defaults';
  /** What its sender should know of how it was completed. */
  warnings?: string[];
  provider: string | null;
  allowSuccessor: boolean;
  input: GenerationInput;
  routing: Routing;
  analysis: 'auto' | 'off' | 'local';
  priority: 'high' | 'medium' | 'low';
  deadlineSeconds: number;
  onAmbiguous: AmbiguityPolicy;
  user: string | null;
  metadata: Record<string, string>;
  tags: string[];
};

/** What the start of a generation's workflow is told of it. */
export type Start = {
  id: string;
  tenantId: string;
  /** The tenant's share of what is scarce. */
  weight: number;
  medium: string;
  priority: GenerationRequest['priority'];
  /** Begins later, so that many at once come one after the other. */
  delayMs?: number;
};

export type Usage = {
  inputTokens: number | null;
  /** Of the input tokens, those of images. */
  imageTokens?: number | null;
  outputTokens: number | null;
  characters: number | null;
  seconds: number | null;
  images: number | null;
};

export const noUsage: Usage = { inputTokens: null, outputTokens: null, characters: null, seconds: null, images: null };

export type Analysis = {
  source: 'local';
  degraded: boolean;
  language: string;
  subject: string;
  style: string | null;
  motion: string | null;
  durationSeconds: number | null;
  aspectRatio: string | null;
  /** 1 (a plain object) to 5 (many subjects, motions and conditions). */
  complexity: number;
  moderation: { flagged: boolean; reasons: string[] };
  suggestions: string[];
};

export type Candidate = {
  model: string;
  provider: string;
  /** The most it may cost; `null` where nobody knows. */
  estimatedCostUsd: Money | null;
  estimatedSeconds: number;
  score: number;
  reason: string;
  /** Why it is out of the running; `null` for those that may be tried, in order. */
  excluded: string | null;
};

export type Decision = { strategy: Strategy; variant: string | null; candidates: Candidate[] };

export type AttemptView = {
  number: number;
  provider: string;
  model: string;
  credential: string | null;
  operation: string | null;
  status: AttemptStatus;
  costUsd: Money | null;
  possibleCostUsd: Money | null;
  providerRequestId: string | null;
  gateway: string | null;
  error: Failure | null;
  startedAt: string;
  submittedAt: string | null;
  endedAt: string | null;
};

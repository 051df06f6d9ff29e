import { attemptWorkflowId, generationWorkflowId } from '../../src/workflows/messages';
import {
  cancel,
  findUnowned,
  rerun,
  reset,
  resolve,
  terminate,
  untilPhase,
  untilTry,
  type Recording,
} from './operator';
import { inLine } from './waiting-shapes';

/** One way a generation can go. A recording that goes another way is thrown away. */
export type Shape = {
  name: string;
  body: Record<string, unknown>;
  /** At the provider, for this prompt only. */
  faults?: Record<string, unknown>[];
  before?: (place: Pick<Recording, 'system'>) => Promise<unknown>;
  /** May name the generation that is recorded, where it is not the one submitted. */
  meanwhile?: (recording: Recording) => Promise<string | void>;
  ends: string;
  attempts: readonly string[];
};

const runway = { medium: 'video', model: 'runway/gen4.5' };
const flux = { medium: 'image', model: 'fal/flux/dev' };
const veo = { medium: 'video', model: 'fal/veo3.1' };
const chat = { medium: 'text', model: 'groq/gpt-oss-20b' };
const withFallback = { ...runway, routing: { allow: ['fal/veo3.1'] } };

const lostAnswer = { provider: 'runway', kind: 'drop_after_accept' };
const stuck = { provider: 'runway', kind: 'stuck' };
const busyForLong = {
  provider: 'runway',
  operation: 'submit',
  kind: 'status',
  status: 503,
  retryAfter: 20,
  times: null,
};
const deafToCancel = { provider: 'fal', operation: 'cancel', kind: 'status', status: 500, times: null };
const slowDownload = { provider: 'runway', operation: 'artifact', kind: 'slow', delayMs: 4_000 };

const happy: Shape[] = [
  { name: 'video', body: runway, ends: 'succeeded', attempts: ['succeeded'] },
  { name: 'image', body: flux, ends: 'succeeded', attempts: ['succeeded'] },
  { name: 'speech', body: { medium: 'speech' }, ends: 'succeeded', attempts: ['succeeded'] },
  { name: 'text', body: chat, ends: 'succeeded', attempts: ['succeeded'] },
];

const failing: Shape[] = [
  {
    name: 'failover',
    body: withFallback,
    faults: [{ provider: 'runway', kind: 'failed' }],
    ends: 'succeeded',
    attempts: ['failed', 'succeeded'],
  },
  {
    name: 'tries-used-up',
    body: flux,
    faults: [{ provider: 'fal', operation: 'submit', kind: 'status', status: 503, times: 3 }],
    ends: 'failed',
    attempts: ['rejected'],
  },
  {
    name: 'expired',
    body: { ...runway, deadlineSeconds: 10 },
    faults: [stuck],
    ends: 'expired',
    attempts: ['canceled'],
  },
  {
    name: 'expired-waiting',
    body: { ...runway, deadlineSeconds: 10 },
    faults: [busyForLong],
    ends: 'expired',
    attempts: ['canceled'],
  },
  {
    name: 'result-lost',
    body: flux,
    faults: [{ provider: 'fal', kind: 'artifact_expired', times: null }],
    ends: 'failed',
    attempts: ['failed', 'failed'],
  },
];

const cancelInPhase =
  (phase: string) =>
  async (recording: Recording): Promise<void> => {
    await untilPhase(recording, phase);
    await cancel(recording);
  };

const unreachable = { url: 'https://images.invalid/a.png' };

const canceled: Shape[] = [
  {
    name: 'canceled-fetching',
    body: { medium: 'video', model: 'fal/veo3.1', input: { image: unreachable } },
    meanwhile: async (recording) => {
      await untilTry(recording, generationWorkflowId(recording.id), 2);
      await cancel(recording);
    },
    ends: 'canceled',
    attempts: [],
  },
  {
    name: 'canceled-waiting',
    body: runway,
    faults: [busyForLong],
    meanwhile: async (recording) => {
      await untilTry(recording, attemptWorkflowId(recording.id, 1), 2);
      await cancel(recording);
    },
    ends: 'canceled',
    attempts: ['canceled'],
  },
  {
    name: 'canceled-submitting',
    body: runway,
    faults: [{ provider: 'runway', operation: 'submit', kind: 'slow', delayMs: 1_000 }],
    meanwhile: async (recording) => {
      await recording.system.until(recording.id, ({ attempts }) => attempts[0]?.status === 'submitting');
      await cancel(recording);
    },
    ends: 'canceled',
    attempts: ['canceled'],
  },
  {
    name: 'canceled',
    body: runway,
    faults: [stuck],
    meanwhile: cancelInPhase('polling'),
    ends: 'canceled',
    attempts: ['canceled'],
  },
  {
    name: 'canceled-storing',
    body: runway,
    faults: [slowDownload],
    meanwhile: cancelInPhase('storing'),
    ends: 'canceled',
    attempts: ['succeeded'],
  },
  {
    name: 'canceled-held',
    body: runway,
    faults: [lostAnswer],
    meanwhile: cancelInPhase('needs_attention'),
    ends: 'canceled',
    attempts: ['ambiguous'],
  },
];

const decide =
  (action: string) =>
  async (recording: Recording): Promise<void> => {
    await untilPhase(recording, 'needs_attention');
    await resolve(recording, { action, ...(action === 'adopt' && { operation: await findUnowned(recording) }) });
  };

const lost: Shape[] = [
  {
    name: 'found',
    body: { medium: 'video', model: 'mock/video' },
    faults: [{ provider: 'mock', kind: 'drop_after_accept' }],
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
  {
    name: 'resubmitted',
    body: chat,
    faults: [{ provider: 'groq', kind: 'drop_after_accept' }],
    ends: 'succeeded',
    attempts: ['ambiguous', 'succeeded'],
  },
  {
    name: 'resubmitted-by-policy',
    body: { ...runway, onAmbiguous: 'resubmit' },
    faults: [lostAnswer],
    ends: 'succeeded',
    attempts: ['ambiguous', 'succeeded'],
  },
  {
    name: 'resubmitted-in-vain',
    body: { ...runway, onAmbiguous: 'resubmit' },
    faults: [{ ...lostAnswer, times: 3 }],
    ends: 'failed',
    attempts: ['ambiguous', 'ambiguous', 'ambiguous'],
  },
  {
    name: 'failed-over-by-policy',
    body: { ...withFallback, onAmbiguous: 'fail_over' },
    faults: [lostAnswer],
    ends: 'succeeded',
    attempts: ['ambiguous', 'succeeded'],
  },
  {
    name: 'held-resubmit',
    body: runway,
    faults: [lostAnswer],
    meanwhile: decide('resubmit'),
    ends: 'succeeded',
    attempts: ['ambiguous', 'succeeded'],
  },
  {
    name: 'held-fail-over',
    body: withFallback,
    faults: [lostAnswer],
    meanwhile: decide('fail_over'),
    ends: 'succeeded',
    attempts: ['ambiguous', 'succeeded'],
  },
  {
    name: 'held-adopt',
    body: runway,
    faults: [lostAnswer],
    meanwhile: decide('adopt'),
    ends: 'succeeded',
    attempts: ['superseded', 'succeeded'],
  },
  {
    name: 'held-abandon',
    body: runway,
    faults: [lostAnswer],
    meanwhile: decide('abandon'),
    ends: 'failed',
    attempts: ['ambiguous'],
  },
  {
    name: 'late-work',
    body: { ...runway, onAmbiguous: 'resubmit' },
    faults: [lostAnswer],
    meanwhile: async (recording) => {
      await recording.system.untilEnded(recording.id);
      await resolve(recording, { action: 'adopt', attempt: 1, operation: await findUnowned(recording) });
    },
    ends: 'succeeded',
    attempts: ['succeeded', 'succeeded'],
  },
];

const operated: Shape[] = [
  {
    name: 'reset-before',
    body: runway,
    meanwhile: async (recording) => {
      await untilPhase(recording, 'polling');
      await reset(recording, { to: 'first' });
    },
    ends: 'succeeded',
    attempts: ['superseded', 'succeeded'],
  },
  {
    name: 'reset-during',
    body: runway,
    meanwhile: async (recording) => {
      await untilPhase(recording, 'polling');
      await reset(recording, { to: 'last' });
    },
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
  {
    name: 'reset-attempt',
    body: runway,
    meanwhile: async (recording) => {
      await untilPhase(recording, 'polling');
      await reset(recording, { to: 'first', attempt: 1 });
    },
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
  {
    name: 'reset-after',
    body: runway,
    meanwhile: async (recording) => {
      await recording.system.untilEnded(recording.id);
      await reset(recording, { to: 'last' });
    },
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
  {
    name: 'reset-held',
    body: runway,
    faults: [lostAnswer],
    meanwhile: async (recording) => {
      await untilPhase(recording, 'needs_attention');
      await reset(recording, { to: 'first' });
      await resolve(recording, { action: 'resubmit' });
    },
    ends: 'succeeded',
    attempts: ['ambiguous', 'succeeded'],
  },
  {
    name: 'attempt-terminated',
    body: runway,
    meanwhile: async (recording) => {
      await untilPhase(recording, 'polling');
      await terminate(recording, 1);
    },
    ends: 'succeeded',
    attempts: ['superseded', 'succeeded'],
  },
  {
    name: 'terminated',
    body: runway,
    faults: [stuck],
    meanwhile: async (recording) => {
      await untilPhase(recording, 'polling');
      await terminate(recording);
    },
    ends: 'failed',
    attempts: ['canceled'],
  },
];

const cancelAndRerun =
  (phase: string, body: Record<string, unknown> = {}) =>
  async (recording: Recording): Promise<string> => {
    await cancelInPhase(phase)(recording);
    await recording.system.untilEnded(recording.id);
    return rerun(recording, body);
  };

/** The provider does not take the cancel, so that its work is still there to be taken over. */
const rerunning: Shape[] = [
  {
    name: 'rerun-submitted',
    body: veo,
    faults: [deafToCancel],
    meanwhile: cancelAndRerun('polling'),
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
  {
    name: 'rerun-succeeded',
    body: runway,
    faults: [slowDownload],
    meanwhile: cancelAndRerun('storing'),
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
  {
    name: 'rerun-start',
    body: veo,
    faults: [deafToCancel],
    meanwhile: cancelAndRerun('polling', { from: 'start' }),
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
];

export const undisturbed: readonly Shape[] = [
  ...happy,
  ...failing,
  ...canceled,
  ...lost,
  ...operated,
  ...rerunning,
  ...inLine,
];

/** Alone: the others need the worker too. */
export const workerKilled: Shape = {
  name: 'worker-killed',
  body: runway,
  meanwhile: async (recording) => {
    await untilPhase(recording, 'polling');
    recording.system.kill('worker');
  },
  ends: 'succeeded',
  attempts: ['succeeded'],
};

/** Before there is a worker. */
export const canceledUnbegun: Shape = {
  name: 'canceled-unbegun',
  body: runway,
  meanwhile: cancel,
  ends: 'canceled',
  attempts: [],
};

/** On a stack that providers can call back, and whose holds last seconds. */
export const announced: readonly Shape[] = [
  { name: 'hinted', body: flux, ends: 'succeeded', attempts: ['succeeded'] },
  { name: 'held-too-long', body: runway, faults: [lostAnswer], ends: 'failed', attempts: ['ambiguous'] },
  {
    name: 'fetched-input',
    body: { medium: 'video', model: 'fal/veo3.1', input: { image: { url: 'https://media.example.com/a.png' } } },
    ends: 'succeeded',
    attempts: ['succeeded'],
  },
];

/** Between two looks: its work takes longer than the first delay. */
export const hintedPolling: Shape = {
  name: 'hinted-polling',
  body: flux,
  ends: 'succeeded',
  attempts: ['succeeded'],
};

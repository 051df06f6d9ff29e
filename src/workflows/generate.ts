import {
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  defineSignal,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { AttemptStep } from '../domain/attempt-step';
import type { Plan } from '../stores/attempt-plan';
import type { attempt } from './attempt';
import { attemptsAhead, attemptWorkflowId, priorityKeys, signals, type GenerateInput } from './messages';
import { fetchInputs, ledger } from './proxies';

const prioritizeAttempt = () => {
  const { priority } = workflowInfo();
  return { ...priority, priorityKey: Math.max(1, (priority?.priorityKey ?? priorityKeys.medium) - attemptsAhead) };
};

type Planned = Extract<Plan, { action: 'attempt' }>;

const tell = (lines: Record<string, string | number>): void =>
  setCurrentDetails(
    ['| | |', '|---|---|', ...Object.entries(lines).map(([name, value]) => `| ${name} | ${value} |`)].join('\n'),
  );

const runAttempt = async ({ generationId }: GenerateInput, plan: Planned): Promise<AttemptStep['state'] | 'closed'> => {
  try {
    const step = await executeChild<typeof attempt>('attempt', {
      workflowId: attemptWorkflowId(generationId, plan.number),
      args: [{ generationId, number: plan.number, provider: plan.provider, model: plan.model }],
      staticSummary: `${plan.model} · attempt ${plan.number}`,
      priority: prioritizeAttempt(),
      // a cancelled parent publishes at once; the child stays to stop what runs at the provider
      cancellationType: ChildWorkflowCancellationType.TRY_CANCEL,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    });
    return step.state;
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error;
    // terminated or timed out: it told nothing, the ledger knows how far it came
    return 'closed';
  }
};

type News = { come: boolean };

const listenForNews = (): News => {
  const news: News = { come: false };
  setHandler(defineSignal(signals.resolved), () => void (news.come = true));
  return news;
};

/** A lost answer waits for a person, or for the provider to tell after all. What they said stands in the ledger. */
const waitForNews = async (input: GenerateInput, news: News, waitMs: number): Promise<void> => {
  tell({ phase: 'needs_attention', why: 'the answer to a submit was lost', 'safe to reset': 'yes' });
  if (input.searchable) upsertSearchAttributes({ SureshotStatus: ['needs_attention'] });
  await condition(() => news.come, waitMs);
  news.come = false;
};

const attemptUntilDone = async (input: GenerateInput, news: News): Promise<void> => {
  for (;;) {
    const plan = await ledger.planAttempt({ generationId: input.generationId });
    if (plan.action === 'stop') return;
    if (plan.action === 'hold') {
      await waitForNews(input, news, plan.waitMs);
      continue;
    }
    tell({ phase: 'attempt', attempt: plan.number, model: plan.model, 'safe to reset': 'yes' });
    if (input.searchable) upsertSearchAttributes({ SureshotProvider: [plan.provider], SureshotStatus: ['running'] });
    const state = await runAttempt(input, plan);
    if (state === 'succeeded' || state === 'canceled') return;
  }
};

/** Runs that began when nothing was fetched have no count in their history. */
const countToFetch = (analyzed: { inputsToFetch: number } | undefined): number => analyzed?.inputsToFetch ?? 0;

/** `false`: there is nothing to go on with, and the ledger says why. */
const prepareInputs = async ({ generationId }: GenerateInput): Promise<boolean> => {
  const analyzed = await ledger.analyzeRequest({ generationId, runId: workflowInfo().runId });
  if (countToFetch(analyzed) === 0) return true;
  return (await fetchInputs({ generationId })).state === 'fetched';
};

/**
 * One generation: analyze, fetch what it names by address → choose → attempt after attempt → settle. It only orders the
 * steps: what they decide they decide from the ledger, so that a reset from the Web UI, a re-run and a crash all come to
 * the same answer.
 */
export async function generate(input: GenerateInput): Promise<{ status: string }> {
  const { generationId } = input;
  const news = listenForNews();
  try {
    tell({ phase: 'choose', 'safe to reset': 'yes' });
    if (await prepareInputs(input)) {
      await ledger.chooseCandidates({ generationId });
      await attemptUntilDone(input, news);
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
  }
  // asked of the scope, not of the error: a child that stops quickly answers before the cancellation is thrown here
  const canceled = CancellationScope.current().consideredCancelled;
  const { status } = await CancellationScope.nonCancellable(() => ledger.settleGeneration({ generationId, canceled }));
  if (input.searchable) upsertSearchAttributes({ SureshotStatus: [status] });
  tell({ phase: 'ended', status, 'safe to reset': 'yes' });
  return { status };
}

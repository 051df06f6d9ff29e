/** Names that clients, workers and the Web UI rely on: add, never rename. Ids derive from ids. */
export const taskQueues = {
  generations: 'generations',
  providers: 'providers',
  polls: 'polls',
  transfers: 'transfers',
} as const;

export const generationWorkflowId = (generationId: string): string => `generation/${generationId}`;

export const attemptWorkflowId = (generationId: string, number: number): string =>
  `${generationWorkflowId(generationId)}/attempt/${number}`;

export const watchWorkflowId = (generationId: string, number: number): string =>
  `${attemptWorkflowId(generationId, number)}/watch`;

export const searchAttributes = ['SureshotTenant', 'SureshotMedium', 'SureshotProvider', 'SureshotStatus'] as const;

/**
 * Signals. `resolved` tells `generate` that something was decided or found out about a lost answer it waits for, `turn`
 * tells `attempt` that it may be sent now.
 */
export const signals = { providerCallback: 'providerCallback', resolved: 'resolved', turn: 'turn' } as const;

/** Ids of the schedules and of the workflows they start. */
export const schedules = { reconcile: 'reconcile', orphans: 'reconcile/orphans', health: 'health' } as const;

export type ReconcileInput = { orphans?: boolean };

/** `searchable`: the server knows our search attributes; naming one it does not know would fail the workflow's task. */
export type GenerateInput = { generationId: string; searchable: boolean };

export type AttemptInput = { generationId: string; number: number; provider: string; model: string };

export type WatchInput = { generationId: string; number: number };

/** Two people who try the same key at the same time share one call. */
export const probeWorkflowId = ({ provider, credential }: ProbeInput): string => `probe/${provider}/${credential}`;

export type ProbeInput = { provider: string; credential: string };

/**
 * Temporal's own scale, 1 first. Attempts are ahead of generations: what has yet to begin must not keep what has begun
 * from ending, however much of it there is. They order what workers do; who is sent is decided by turns.
 */
export const priorityKeys = { high: 3, medium: 4, low: 5 } as const;
export const attemptsAhead = 2;

import { randomUUID } from 'node:crypto';
import { CliError, exitCodes, UnreachableError } from './failure';
import type { Generation } from './resource';
import type { Session } from './session';
import { insist } from './wait';

const isOpen = (error: unknown): boolean =>
  error instanceof CliError &&
  (error.exitCode === exitCodes.interrupted || (error instanceof UnreachableError && error.maybeReceived));

type Submission = { route: string; body: unknown; idempotencyKey: string | undefined; patienceSeconds: number };

/** Always with a key, so that an answer that got lost can be asked for again: one submission is one generation. */
export const submit = async (session: Session, submission: Submission): Promise<Generation> => {
  const { route, body, patienceSeconds } = submission;
  const key = submission.idempotencyKey ?? `cli-${randomUUID()}`;
  try {
    return await insist({ ...session, patienceSeconds }, () =>
      session.api.call<Generation>(route, { method: 'POST', body, headers: { 'Idempotency-Key': key } }),
    );
  } catch (error) {
    if (isOpen(error))
      session.terminal.tell(
        `it may have been accepted: repeat it with --idempotency-key ${key} to be sure of one only`,
      );
    throw error;
  }
};

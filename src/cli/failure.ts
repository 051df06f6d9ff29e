/** The contract's; 130 is what shells make of a Ctrl-C. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

type Ending = { exitCode: ExitCode; details?: readonly string[]; cause?: unknown };

/** Ends the program: what stands on stderr, and the exit code. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  /** Lines below the message. */
  readonly details: readonly string[];

  constructor(message: string, { exitCode, details = [], cause }: Ending) {
    super(message, { cause });
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.details = details;
  }
}

export const usageError = (message: string, ...details: string[]): CliError =>
  new CliError(message, { exitCode: exitCodes.usage, details });

/** No answer, or one that says nobody is behind it at the moment: 502, 503, 504. */
export class UnreachableError extends CliError {
  /** The server may have got the request all the same. */
  readonly maybeReceived: boolean;

  constructor(message: string, { maybeReceived, ...ending }: { maybeReceived: boolean } & Omit<Ending, 'exitCode'>) {
    super(message, { ...ending, exitCode: exitCodes.unreachable });
    this.name = 'UnreachableError';
    this.maybeReceived = maybeReceived;
  }
}

/** What the server refused. */
export class RefusedError extends CliError {
  readonly status: number;
  readonly retryAfterSeconds: number | null;

  constructor(
    message: string,
    { status, retryAfterSeconds, ...ending }: { status: number; retryAfterSeconds: number | null } & Ending,
  ) {
    super(message, ending);
    this.name = 'RefusedError';
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A bad case the user can do something about: printed as its message alone, without a stack. */
export class StackError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'StackError';
    this.exitCode = exitCode;
  }
}

/** `EACCES`, `ENOENT` …; empty for errors that are not the system's. */
export const errorCode = (error: unknown): string => String((error as NodeJS.ErrnoException | null)?.code ?? '');

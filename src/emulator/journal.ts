import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Operation } from './operations';

type JournalEntry = {
  provider: string;
  id: string;
  set: Partial<Operation>;
};

/** Called before the answer leaves: what a client was told must survive the death of this process. */
export type Journal = {
  append(entry: JournalEntry): void;
  clear(): void;
  close(): void;
};

export const operationKey = (provider: string, id: string): string => `${provider}/${id}`;

/** For journals of a time before these. */
const emptyFields: Pick<Operation, 'marks' | 'webhooks'> = { marks: {}, webhooks: [] };

const parseLine = (line: string): JournalEntry[] => {
  try {
    return line === '' ? [] : [JSON.parse(line) as JournalEntry];
  } catch {
    return []; // A line torn by SIGKILL: its submit was never answered.
  }
};

const replay = (path: string): Map<string, Operation> => {
  const operations = new Map<string, Operation>();
  if (!existsSync(path)) return operations;
  for (const { provider, id, set } of readFileSync(path, 'utf8').split('\n').flatMap(parseLine)) {
    const key = operationKey(provider, id);
    const known = operations.get(key);
    // A change without its operation: killed between the two, and so never answered.
    if (known !== undefined || set.id !== undefined)
      operations.set(key, { ...emptyFields, ...known, ...set } as Operation);
  }
  return operations;
};

const compact = (path: string, operations: Map<string, Operation>): void => {
  const lines = [...operations.values()].map((operation) =>
    JSON.stringify({ provider: operation.provider, id: operation.id, set: operation } satisfies JournalEntry),
  );
  writeFileSync(`${path}.new`, lines.map((line) => `${line}\n`).join(''));
  renameSync(`${path}.new`, path);
};

const nothing: Journal = { append: () => undefined, clear: () => undefined, close: () => undefined };

export const openJournal = (path: string | undefined): { journal: Journal; operations: Map<string, Operation> } => {
  if (path === undefined) return { journal: nothing, operations: new Map() };
  mkdirSync(dirname(path), { recursive: true });
  const operations = replay(path);
  compact(path, operations);
  let file = openSync(path, 'a');
  const reopen = (): void => {
    closeSync(file);
    compact(path, new Map());
    file = openSync(path, 'a');
  };
  const journal: Journal = {
    append: (entry) => void writeSync(file, `${JSON.stringify(entry)}\n`),
    clear: reopen,
    close: () => closeSync(file),
  };
  return { journal, operations };
};

import { appendFileSync, renameSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';

const largestBytes = 5 * 1024 * 1024;
const keptLines = 20;

/** A child's output: in a file of bounded size (with one predecessor), its last lines in memory for the obituary. */
export type ChildLog = {
  file: string;
  /** `onLine` sees every line; the file gets it first. */
  follow: (stream: Readable, onLine: (line: string) => void) => void;
  lastLines: (count: number) => string[];
};

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

export const openChildLog = (file: string): ChildLog => {
  const last: string[] = [];
  let sizeBytes = sizeOf(file);
  const write = (line: string): void => {
    if (sizeBytes > largestBytes) {
      renameSync(file, `${file}.1`);
      sizeBytes = 0;
    }
    // Synchronous on purpose: the lines before a crash are the ones that matter. Few lines come here.
    appendFileSync(file, `${line}\n`);
    sizeBytes += Buffer.byteLength(line) + 1;
  };
  return {
    file,
    follow: (stream, onLine) => {
      createInterface({ input: stream }).on('line', (line) => {
        last.push(line);
        if (last.length > keptLines) last.shift();
        try {
          write(line);
        } catch {
          // A full disk or a removed home must not stop the stack by its log.
        }
        onLine(line);
      });
    },
    lastLines: (count) => last.filter((line) => line.trim() !== '').slice(-count),
  };
};

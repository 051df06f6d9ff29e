import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Boundary } from '../../src/activities/dependencies';

/** A list that the compiler keeps complete. */
const workerBoundaryTable: Record<Boundary, true> = {
  analyzed: true,
  chosen: true,
  planned: true,
  staged: true,
  taken: true,
  accepted: true,
  recorded: true,
  looked: true,
  concluded: true,
  downloaded: true,
  stored: true,
  canceling: true,
  canceled: true,
  settling: true,
  settled: true,
};

const workerBoundaries = Object.keys(workerBoundaryTable) as Boundary[];

/** Of a POST: before the row is committed, after it, and after a cancel is committed but not yet told. */
const apiBoundaries = ['accepting', 'committed', 'cancel-committed'] as const;

export type AnyBoundary = Boundary | (typeof apiBoundaries)[number];

export const everyBoundary: readonly AnyBoundary[] = [...workerBoundaries, ...apiBoundaries];

/** Tells the processes where orders are. */
export const ordersVariable = 'CRASH_ORDERS';

const openFolder = (folder: string): string => path.join(folder, 'open');
const takenFolder = (folder: string): string => path.join(folder, 'taken');

export const prepareOrders = (folder: string): void => {
  mkdirSync(openFolder(folder), { recursive: true });
  mkdirSync(takenFolder(folder), { recursive: true });
};

/** Whoever reaches the boundary next is killed there. */
export const placeOrder = (folder: string, boundary: AnyBoundary): void =>
  writeFileSync(path.join(openFolder(folder), boundary), '');

export const withdrawOrders = (folder: string): void => {
  for (const name of readdirSync(openFolder(folder))) rmSync(path.join(openFolder(folder), name), { force: true });
};

/** Renaming is what decides which of several processes it is. */
const take = (folder: string, boundary: AnyBoundary): boolean => {
  try {
    const taken = path.join(takenFolder(folder), `${boundary}.${process.pid}.${Date.now()}`);
    renameSync(path.join(openFolder(folder), boundary), taken);
    return true;
  } catch {
    return false;
  }
};

/** Called in the processes, at a boundary. */
export const dieIfOrdered = (folder: string, boundary: AnyBoundary): void => {
  if (take(folder, boundary)) process.kill(process.pid, 'SIGKILL');
};

export type TakenOrder = { boundary: AnyBoundary; pid: number; atMs: number };

export const listTakenOrders = (folder: string): TakenOrder[] =>
  readdirSync(takenFolder(folder)).map((name) => {
    const [boundary, pid, atMs] = name.split('.');
    return { boundary: boundary as AnyBoundary, pid: Number(pid), atMs: Number(atMs) };
  });

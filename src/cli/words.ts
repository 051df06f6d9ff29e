import type { Paint } from './terminal';

const minuteSeconds = 60;
const hourSeconds = 3600;

export const tellDuration = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 2 * minuteSeconds) return `${Math.round(seconds)} s`;
  if (seconds < 2 * hourSeconds) return `${Math.floor(seconds / minuteSeconds)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / hourSeconds)} h ${Math.round((seconds % hourSeconds) / minuteSeconds)} min`;
};

export const tellBytes = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB'];
  let value = bytes;
  while (value >= 1000 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${Number.isInteger(value) || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[0] ?? ''}`;
};

/** `2026-11-21 16:00:01Z` */
export const tellTime = (at: string): string => at.replace('T', ' ').replace(/\.\d+/, '');

const statusPaints: Readonly<Record<string, Paint>> = {
  succeeded: 'green',
  failed: 'red',
  rejected: 'red',
  canceled: 'yellow',
  expired: 'yellow',
  ambiguous: 'yellow',
  superseded: 'dim',
  running: 'cyan',
};

export const paintOf = (status: string): Paint => statusPaints[status] ?? 'bold';

import type { World } from './world';

/**
 * Whether a model is gone by now. Retired ones are served all the same unless the lifecycle is strict, so that what was
 * made with them can be made again.
 */
export const isShut = ({ clock, settings }: World, shutOn: string | undefined): boolean =>
  settings.strictLifecycle && shutOn !== undefined && clock() >= Date.parse(shutOn);

import type { Model } from '../domain/model';
import { models as elevenlabs } from './elevenlabs/models';
import { models as fal } from './fal/models';
import { models as mock } from './mock/models';
import { models as openai } from './openai/models';
import { models as runway } from './runway/models';

/** Every model there is. Plain data: importing it loads no SDK and opens nothing. */
export const catalogue: readonly Model[] = [...mock, ...fal, ...runway, ...openai, ...elevenlabs];

import { drawFrom } from './draw';
import type { GenerationRequest, Medium } from './generation';

/** Of the requests that leave the model open, a share goes to this one first. */
export type Experiment = {
  name: string;
  /** 0 to 100, of the subjects. */
  percent: number;
  /** What stays in its group. */
  by: 'tenant' | 'user' | 'tag';
  medium: Medium;
  /** Canonical id, the provider's own id or a family. */
  model: string;
};

/** Which groups a subject is in, whatever it asks for. */
export type Assignment = {
  treated: Experiment | null;
  /** Experiments that it is compared in. Empty where it is treated. */
  controls: readonly Experiment[];
};

/** Users belong to their tenant; of several tags the first one counts. `null`: the experiment does not concern the request. */
const subjectOf = (
  { by }: Experiment,
  { user, tags }: Pick<GenerationRequest, 'user' | 'tags'>,
  tenantId: string | null,
): string | null => {
  if (by === 'tenant') return tenantId;
  if (by === 'tag') return tags[0] ?? null;
  return user === null ? null : `${tenantId ?? ''}/${user}`;
};

/**
 * The same subject is always in the same group, and whoever is treated stays so while the percentage grows. Experiments of a
 * medium share its subjects: each draws from those that the ones before it left, so that each has its whole percentage.
 */
export const assignGroup = (
  experiments: readonly Experiment[],
  request: Pick<GenerationRequest, 'medium' | 'user' | 'tags'>,
  tenantId: string | null,
): Assignment => {
  const controls: Experiment[] = [];
  let leftPercent = 100;
  for (const experiment of experiments.filter(({ medium }) => medium === request.medium)) {
    const subject = subjectOf(experiment, request, tenantId);
    if (subject !== null) {
      if (drawFrom(`${experiment.name}/${subject}`) * leftPercent < experiment.percent)
        return { treated: experiment, controls: [] };
      controls.push(experiment);
    }
    leftPercent -= experiment.percent;
  }
  return { treated: null, controls };
};

/** How a decision names the group it was made for. */
export const variantOf = (experiment: Experiment, group: 'treated' | 'control'): string =>
  group === 'treated' ? experiment.name : `${experiment.name}:control`;

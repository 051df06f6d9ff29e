import { attemptWorkflowId, generationWorkflowId } from '../src/workflows/messages';
import type { Figure } from './figures';
import { readUsage } from './processes';
import { bodies, type System } from './system';

/** Parent and child of a generation that succeeds at the first attempt. */
export const measureHistory = async ({ client, generate }: System): Promise<Figure[]> => {
  const countEvents = async (workflowId: string): Promise<number> =>
    (await client.workflow.getHandle(workflowId).fetchHistory()).events?.length ?? 0;
  const figures: Figure[] = [];
  for (const name of ['text', 'video'] as const) {
    const { id } = await generate(bodies[name]);
    await client.workflow.getHandle(generationWorkflowId(id)).result();
    const value = (await countEvents(generationWorkflowId(id))) + (await countEvents(attemptWorkflowId(id, 1)));
    figures.push({ measure: 'history', name, value, unit: 'events', aim: { atMost: 100 } });
  }
  return figures;
};

/** After all that went before. */
export const measureMemory = ({ stack, bare }: System): Figure[] =>
  Object.entries(readUsage({ ...stack.stack.pids(), 'bare worker': bare.pid })).map(([name, { rssMb }]): Figure => ({
    measure: 'memory (RSS) afterwards',
    name,
    value: rssMb,
    unit: 'MB',
  }));

import { executeChild, proxyActivities } from '@temporalio/workflow';

const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({ startToCloseTimeout: '1 minute' });

export async function bareChild(): Promise<void> {
  await nothing();
  await nothing();
  await nothing();
}

/** The yardstick: what Temporal itself takes for a parent, a child and five activities. */
export async function bareParent(): Promise<void> {
  await nothing();
  await executeChild(bareChild, { args: [] });
  await nothing();
}

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';

/** Part of `npm run build`: workers start at once, and every worker of a release runs the same workflow code. */
const build = async (): Promise<void> => {
  const quiet = () => undefined;
  const logger = { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: console.warn, error: console.error };
  const { code } = await bundleWorkflowCode({ workflowsPath: path.join(__dirname, 'workflows', 'index.js'), logger });
  await writeFile(path.join(__dirname, 'workflow-bundle.js'), code);
};

void build();

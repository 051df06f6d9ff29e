import './embedded/node-version';
import path from 'node:path';
import { readStackConfig } from './config';
import { neutralEnvironment } from './embedded/child-environment';
import { parseDemoArguments, planDemo } from './embedded/demo-plan';
import { runDemoGeneration } from './embedded/demo-generation';
import { createDisplay } from './embedded/demo-display';
import { drawTable } from './embedded/demo-table';
import { projectFolder } from './embedded/entries';
import { startStack, type Stack } from './embedded/stack';
import { interruptedExitCode, runInTerminal } from './embedded/terminal';

/** Nothing of the user's configuration but where state may be kept: no key, no address, no port. */
const demoEnvironment = (environment: NodeJS.ProcessEnv): Record<string, string> => {
  const base = environment['SURESHOT_HOME'] ?? '';
  const home = path.resolve(base === '' ? path.join(projectFolder, '.sureshot') : base, 'demo');
  return {
    ...neutralEnvironment(environment),
    SURESHOT_HOME: home,
    PORT: '0',
    SURESHOT_EMULATOR: 'on',
    LOG_LEVEL: 'warn',
  };
};

type Results = Awaited<ReturnType<typeof runDemoGeneration>>[];

/** With many at once each would show how long the others keep the machine busy. */
const atOnce = 8;

const runAll = async <Planned, Result>(
  plan: readonly Planned[],
  run: (planned: Planned) => Promise<Result>,
): Promise<Result[]> => {
  const results: Result[] = [];
  const waiting = plan.entries();
  const workThrough = async (): Promise<void> => {
    for (const [index, planned] of waiting) results[index] = await run(planned);
  };
  await Promise.all(Array.from({ length: atOnce }, workThrough));
  return results;
};

/** A stack that gave up answers nothing any more, so there is no use in waiting for the generations. */
const waitForResults = async (work: Promise<Results>, stack: Stack): Promise<Results> => {
  const failure = await Promise.race([work.then(() => null), stack.ended]);
  if (failure) throw failure;
  return work;
};

void runInTerminal(async ({ log, stopped, hastened }) => {
  const demo = parseDemoArguments(process.argv.slice(2));
  const environment = demoEnvironment(process.env);
  const config = readStackConfig(environment);
  const display = createDisplay(process.stdout);
  display.log(`starting the stack in ${config.home} …`);
  const stack = await startStack({ config, environment, log: display.log, stopped, hastened });
  let results: Results;
  try {
    const access = {
      apiUrl: stack.apiUrl,
      apiKey: stack.apiKey,
      outputFolder: path.join(stack.home, 'output'),
      stopped,
    };
    const plan = await planDemo(demo, access);
    const work = runAll(plan, (generation) => runDemoGeneration(generation, access, display));
    results = await waitForResults(work, stack);
  } finally {
    display.finish();
    await stack.stop();
  }
  if (demo.all) for (const row of drawTable(results)) log(row);
  // After everything else, so that scripts find them at the end.
  for (const { line } of results) log(line);
  if (stopped.aborted) return interruptedExitCode;
  return results.every(({ succeeded }) => succeeded) ? 0 : 1;
});

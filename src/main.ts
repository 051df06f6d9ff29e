import './embedded/node-version';
import { readStackConfig, type StackConfig } from './config';
import { startStack, type Stack } from './embedded/stack';
import { runInTerminal, type Terminal } from './embedded/terminal';

const temporalUiPort = 8233;

const describeProviders = ({ emulated }: StackConfig): string =>
  emulated.length === 0
    ? 'real: those with a key in the environment; nothing is emulated'
    : 'all emulated, nothing is paid; set a key (for instance FAL_KEY) to use a real one';

const printBanner = (config: StackConfig, stack: Stack, log: Terminal['log']): void => {
  const rows: [string, string | null][] = [
    ['API', stack.apiUrl],
    ['API key', config.apiKey === null ? stack.apiKey : 'the one in SURESHOT_API_KEY'],
    ['Temporal', stack.temporalUiUrl ?? stack.temporalAddress],
    ['Emulator', stack.emulatorUrl],
    ['Providers', describeProviders(config)],
    ['Data', config.home],
    ['Logs', `${config.home}/logs`],
  ];
  log('');
  for (const [name, value] of rows) if (value !== null) log(`  ${name.padEnd(10)} ${value}`);
  log('\n  Ctrl-C stops everything; what is unfinished goes on at the next start.\n');
};

void runInTerminal(async ({ log, stopped, hastened }) => {
  const environment = { ...process.env };
  const config = readStackConfig(environment);
  const stack = await startStack({ config, environment, log, temporalUiPort, stopped, hastened });
  printBanner(config, stack, log);
  const failure = await stack.ended;
  if (failure) throw failure;
  log('stopped');
  return 0;
});

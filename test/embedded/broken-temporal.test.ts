import * as fs from 'node:fs';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSupervisor, type Supervisor } from '../../src/embedded/supervisor';
import { choosePort } from '../../src/embedded/ports';
import { prepareTemporal } from '../../src/embedded/temporal';
import * as projects from './project';

/** In place of the server: listens where it is told to, and answers with errors from a word on until it is started again. */
const standIn = `#!${process.execPath}
const { createServer } = require('node:http');
const { existsSync, rmSync } = require('node:fs');
const argument = (name) => Number(process.argv[process.argv.indexOf(name) + 1]);
rmSync('broken', { force: true });
createServer().listen(argument('--port'), '127.0.0.1');
createServer((request, response) => {
  if (existsSync('slow')) return;
  response.writeHead(existsSync('broken') ? 503 : 200).end('{}');
}).listen(argument('--ui-port'), '127.0.0.1');
`;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const nobody = { add: () => undefined, remove: () => undefined, dismiss: () => undefined, pid: () => 0 };

let home: string;
let supervisor: Supervisor;
let spec: ReturnType<typeof prepareTemporal>['spec'];
let lines: string[];

beforeAll(async () => {
  home = projects.makeFolder();
  lines = [];
  const binary = path.join(home, 'temporal');
  fs.writeFileSync(binary, standIn, { mode: 0o755 });
  const log = (line: string): void => void lines.push(line);
  const port = await choosePort(null, new Set());
  const uiPort = await choosePort(null, new Set([port]));
  supervisor = createSupervisor({ logFolder: home, log, reaper: nobody, order: ['temporal'], onGiveUp: String });
  ({ spec } = prepareTemporal({ home, binary, port, uiPort, log }));
  await supervisor.start(spec);
});

afterAll(async () => {
  await supervisor.stop();
  fs.rmSync(home, { recursive: true });
});

test('one that does not answer in time is only slow', async () => {
  fs.writeFileSync(path.join(home, 'slow'), '');
  // what nobody holds is gone before the time is up
  const collecting = setInterval(collectGarbage, 100);
  expect(await spec.brokenness?.isBroken()).toBe(false);
  clearInterval(collecting);
  fs.rmSync(path.join(home, 'slow'));
});

test('a Temporal that answers with nothing but errors is killed and started again', async () => {
  const before = supervisor.pids()['temporal'];
  fs.writeFileSync(path.join(home, 'broken'), '');
  await projects.waitFor('another server', () => lines.includes('temporal is back'), 50_000);
  expect(supervisor.pids()['temporal']).not.toBe(before);
  expect(lines[0]).toMatch(/^temporal answers with nothing but errors, so it is killed; see /);
});

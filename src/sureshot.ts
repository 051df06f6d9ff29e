#!/usr/bin/env node
import './embedded/node-version';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runCommandLine } from './cli/program';

const { version } = JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };

// `sureshot list | head` closes the pipe when it has seen enough
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

void runCommandLine(process.argv.slice(2), {
  environment: process.env,
  streams: process,
  version,
  diagnose: async (connection) => {
    // the servers' libraries take a second to load, and no other command needs them
    const { diagnose } = await import('./doctor.js');
    return diagnose({ environment: process.env, connection });
  },
}).then((exitCode) => {
  process.exitCode = exitCode;
});

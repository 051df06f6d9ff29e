import type { Command } from 'commander';
import type { Connection } from '../connection';
import { exitCodes, type ExitCode } from '../failure';
import { present, type Session } from '../session';
import { plain, type Paint } from '../terminal';
import type { Register } from './options';

export type CheckStatus = 'ok' | 'warn' | 'fail';

/** `fix`: what to do about it; `null` where nothing is to be done. */
export type Check = { name: string; status: CheckStatus; detail: string; fix: string | null };

export type Diagnosis = {
  checks: Check[];
  /** Nothing is configured here and no API answers: there is nothing to look at. */
  isNowhere: boolean;
};

export type Diagnose = (connection: Connection) => Promise<Diagnosis>;

const paints: Readonly<Record<CheckStatus, Paint>> = { ok: 'green', warn: 'yellow', fail: 'red' };

const describeCheck = ({ terminal }: Session, { name, status, detail, fix }: Check): string => {
  const advice = fix === null ? '' : ` → ${fix}`;
  return `${terminal.paint(paints[status], status.padEnd(4))}  ${name.padEnd(16)} ${plain(`${detail}${advice}`)}`;
};

const conclude = ({ checks, isNowhere }: Diagnosis): ExitCode => {
  if (isNowhere) return exitCodes.unreachable;
  return checks.some(({ status }) => status === 'fail') ? exitCodes.failed : exitCodes.ok;
};

/** `connection`: where the API would be. */
export const registerDoctor =
  (diagnose: Diagnose, connection: () => Connection): Register =>
  (program: Command, run) =>
    program
      .command('doctor')
      .description('look for what is wrong: configuration, keys, database, Temporal, storage, clock, API')
      .action(
        run(async (session) => {
          const diagnosis = await diagnose(connection());
          const { checks } = diagnosis;
          const ok = checks.every(({ status }) => status !== 'fail');
          present(session, { ok, checks }, () => checks.map((check) => describeCheck(session, check)));
          return conclude(diagnosis);
        }),
      );

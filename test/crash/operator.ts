import { catalogue } from '../../src/providers/catalogue';
import { setTimeout as pause } from 'node:timers/promises';
import { hashPrompt, type Database } from './books';
import type { Clients } from './clients';
import type { EmulatorControl } from './emulator';
import type { Random } from './random';

/** What the person did who looks after the system: by action, how often it was accepted, and what was refused. */
export type Deeds = { done: Map<string, number>; refused: string[] };

type Held = { id: string; number: number; prompt: string; provider: string; model: string };
type Ended = { id: string; status: string };
type Decision = { action: string; operation?: string };

const heldSql = `
  SELECT g.id, g.request->'input'->>'prompt' AS prompt, a.number, a.provider, a.model FROM generations g
  CROSS JOIN LATERAL (SELECT number, provider, model FROM attempts WHERE generation_id = g.id AND status = 'ambiguous'
    ORDER BY number DESC LIMIT 1) a
  WHERE g.status = 'running' AND g.held_at IS NOT NULL ORDER BY g.id`;

const endedSql = `
  SELECT id, status FROM generations g WHERE status IN ('failed', 'expired', 'canceled') AND rerun_of IS NULL
    AND request->'input'->>'prompt' LIKE '%storm-%'
    AND NOT EXISTS (SELECT FROM generations r WHERE r.rerun_of = g.id) ORDER BY id`;

const ownedSql = `SELECT operation_id AS operation FROM attempts WHERE operation_id IS NOT NULL`;

type Operating = { database: Database; clients: Clients; control: EmulatorControl; random: Random };

const synchronous = new Set(catalogue.filter((model) => model.synchronous === true).map(({ id }) => id));

/** As a person who looks it up at the provider decides: never "there was nothing" where there was something. */
const decide = async (operating: Operating, held: Held): Promise<Decision[]> => {
  const { database, control, random } = operating;
  const owned = new Set((await database.query<{ operation: string }>(ownedSql)).map(({ operation }) => operation));
  const promptHash = hashPrompt(held.prompt);
  const found = (await control.ledger()).find(
    (row) => row.promptHash === promptHash && row.provider === held.provider && !owned.has(row.operation),
  );
  const onwards = [{ action: random.pick(['resubmit', 'fail_over']) }, { action: 'resubmit' }];
  if (!found) return random.chance(0.4) ? [{ action: 'abandon' }] : onwards;
  // an answer that was the result cannot be had again
  return synchronous.has(held.model) ? onwards : [{ action: 'adopt', operation: found.operation }];
};

const count = (counts: Map<string, number>, what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

const conflict = 409;

/** Refused with a conflict is an answer too: there is nobody to fail over to, or it goes on already. */
const keepNote = async (deeds: Deeds, what: string, response: Response): Promise<boolean> => {
  const answer = await response.text().catch(() => '');
  if (response.ok) count(deeds.done, what);
  else if (response.status === conflict) count(deeds.done, `${what} (conflict)`);
  else deeds.refused.push(`${what}: ${response.status} ${answer.slice(0, 300)}`);
  return response.ok;
};

const resolve = async (operating: Operating, deeds: Deeds, held: Held): Promise<boolean> => {
  for (const decision of await decide(operating, held)) {
    const target = `/v1/generations/${held.id}/resolve`;
    const response = await operating.clients.ask(target, { method: 'POST', body: decision });
    if (await keepNote(deeds, decision.action, response)) return true;
  }
  return false;
};

const rerun = async ({ clients, random }: Operating, deeds: Deeds, { id, status }: Ended): Promise<void> => {
  const body = { from: random.pick(['failed_step', 'start']) };
  const target = `/v1/generations/${id}/rerun`;
  const ask = (which: number): Promise<Response> =>
    clients.ask(target, { method: 'POST', body, key: `rerun-${id}-${which}` });
  const responses = await Promise.all(random.chance(0.3) ? [ask(1), ask(2)] : [ask(1)]);
  for (const response of responses) await keepNote(deeds, `re-run of ${status}`, response);
};

/** Resolves what is held, and re-runs some of what ended without a result, for as long as `mayRerun` says so. */
export const operate = async (
  operating: Operating,
  { stopped, mayRerun }: { stopped: AbortSignal; mayRerun: () => boolean },
): Promise<Deeds> => {
  const deeds: Deeds = { done: new Map(), refused: [] };
  const considered = new Set<string>();
  const resolved = new Set<string>();
  while (!stopped.aborted) {
    for (const held of await operating.database.query<Held>(heldSql)) {
      const attempt = `${held.id}/${held.number}`;
      if (!resolved.has(attempt) && (await resolve(operating, deeds, held))) resolved.add(attempt);
    }
    const ended = mayRerun() ? await operating.database.query<Ended>(endedSql) : [];
    for (const one of ended.filter(({ id }) => !considered.has(id))) {
      considered.add(one.id);
      if (operating.random.chance(0.4)) await rerun(operating, deeds, one);
    }
    await pause(500, undefined, { signal: stopped }).catch(() => undefined);
  }
  return deeds;
};

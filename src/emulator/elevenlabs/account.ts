import { jsonAnswer, type Answer } from '../answer';
import { stateOf } from '../operations';
import type { Call } from '../provider';
import { ownOperations } from '../submit';

const characterLimit = 10_000_000;
const monthMs = 30 * 86_400_000;

/** Credits, which the wire still calls characters. */
export const showSubscription = (call: Call): Answer => {
  const nowMs = call.world.clock();
  const used = ownOperations(call)
    .filter((operation) => stateOf(operation, nowMs) === 'succeeded')
    .reduce((sum, { details }) => sum + Number(details['credits'] ?? 0), 0);
  return jsonAnswer(200, {
    tier: 'pro',
    character_count: Math.round(used),
    character_limit: characterLimit,
    max_character_limit_extension: null,
    max_credit_limit_extension: 0,
    can_extend_character_limit: true,
    allowed_to_extend_character_limit: false,
    next_character_count_reset_unix: Math.floor((nowMs + monthMs) / 1000),
    voice_slots_used: 0,
    professional_voice_slots_used: 0,
    professional_voice_slots_used_in_workspace: 0,
    voice_limit: 160,
    max_voice_add_edits: 290,
    voice_add_edit_counter: 0,
    professional_voice_limit: 1,
    can_extend_voice_limit: false,
    can_use_instant_voice_cloning: true,
    can_use_professional_voice_cloning: true,
    currency: 'usd',
    current_overage: { amount: '0', currency: 'usd' },
    status: 'active',
    billing_period: 'monthly_period',
    character_refresh_period: 'monthly_period',
    next_invoice: null,
    open_invoices: [],
    has_open_invoices: false,
    pending_change: null,
  });
};

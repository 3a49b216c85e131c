// Jobs that ended without a result of ours: which of them need attention, and the recent ones of those, counted by
// client and reason. What happens in every fleet, in a drain or in a pause is none of them.
import type { WorkerEvent } from "../engine/events.js";
import { actionTypeName, placeName, placeOf } from "../job/job.js";
import type { LostReason } from "../job/lifecycle.js";

/** Drops of one kind, not long ago. Times in ms since the epoch. */
export interface RecentDrops {
  /**
   * `token-rejected`: before it was ours. `lost-outcome`: after its handler began. `refused`: CodePipeline refused the
   * call.
   */
  readonly kind: "token-rejected" | "lost-outcome" | "refused";
  readonly actionType: string;
  /** Absent: the account `default`. */
  readonly account?: string;
  readonly region: string;
  readonly clientId: string | undefined;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** After so long without another one it is history. */
const recentMs = 15 * 60_000;
/** Kinds are counted apart; beyond that the one that was seen longest ago is forgotten. */
const kindsMax = 100;

/** Counts the drops that need attention. */
export class DropBoard {
  readonly #drops = new Map<string, RecentDrops>();

  observe({ key, reason, from, atMs }: WorkerEvent & { type: "job-dropped" }): void {
    const kind = kindOf(reason, from);
    if (kind === undefined) return;
    const { clientId } = key;
    const place = placeOf(key);
    const actionType = actionTypeName(key.actionType);
    const name = JSON.stringify([kind, placeName(place), actionType, clientId]);
    const known = this.#drops.get(name);
    const isNew = known === undefined || atMs - known.lastAtMs > recentMs;
    const [count, firstAtMs] = isNew ? [1, atMs] : [known.count + 1, known.firstAtMs];
    // The newest is last.
    this.#drops.delete(name);
    this.#drops.set(name, { kind, ...place, actionType, clientId, count, firstAtMs, lastAtMs: atMs });
    const [oldest] = this.#drops.keys();
    if (this.#drops.size > kindsMax && oldest !== undefined) this.#drops.delete(oldest);
  }

  /** Those of the last minutes, the newest first. */
  recent(nowMs: number): readonly RecentDrops[] {
    return [...this.#drops.values()].filter(({ lastAtMs }) => nowMs - lastAtMs <= recentMs).reverse();
  }
}

/** Whether a drop needs attention. */
export function needsALook(reason: LostReason, from: string): boolean {
  return kindOf(reason, from) !== undefined;
}

function kindOf(reason: LostReason, from: string): RecentDrops["kind"] | undefined {
  if (reason === "token-rejected") return reason;
  if (droppedLevel(reason, from) !== "error") return undefined;
  return isWorked(from) ? "lost-outcome" : "refused";
}

function isWorked(from: string): boolean {
  return from === "running" || from === "settled";
}

/** The log level of a drop, by its reason and by how far the job had come. */
export function droppedLevel(reason: LostReason, from: string): "debug" | "info" | "warn" | "error" {
  // An operator's own order.
  if (reason === "released") return "warn";
  const isLate = isWorked(from);
  // Its outcome is not lost: the other replica reports it. Why this one was late is worth a look.
  if (reason === "taken-over") return isLate ? "warn" : "info";
  // A job that is lost after its handler began is a lost outcome.
  if (isLate) return "error";
  switch (reason) {
    case "not-ours":
    case "draining":
    case "paused":
      return "info";
    case "gone":
    case "over":
    case "no-details":
    case "unreachable":
    case "token-rejected":
    case "ledger-unwritable":
    case "no-room":
      return "warn";
    // It is taken as soon as the job before it has its result.
    case "not-its-turn":
    // The handler and the machine have their own lines.
    case "handler-broken":
    case "machine-short":
      return "debug";
    case "denied":
    case "refused":
      return "error";
  }
}

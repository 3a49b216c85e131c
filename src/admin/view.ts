// What the admin port's pages are shown of the engine: its status with its slots.
import type { SlotCount } from "../engine/slots.js";
import type { SeenFleet } from "../job/fleet.js";
import { placeName } from "../job/job.js";
import type { DeniedCall, HandlerHealth } from "./health.js";
import type { StatusSnapshot } from "./status-snapshot.js";

/** Slots of all action types together, and of each entry (`group`). `busy`: taken, by jobs and polls; `working`: by jobs; `owed`: jobs without one. */
export interface AdminSlots {
  readonly busy: number;
  readonly max: number;
  readonly working: number;
  readonly owed: number;
  readonly groups: readonly SlotCount[];
}

export interface AdminStatus extends StatusSnapshot {
  readonly slots: AdminSlots;
  readonly denials: readonly DeniedCall[];
  /** Absent: nobody watches them. */
  readonly handlers?: readonly HandlerHealth[];
  /** Calls a second at most, where CodePipeline throttles; none while it does not. */
  readonly callLimits?: readonly { readonly scope: string; readonly perSecond: number }[];
  /** Jobs in hand, those included whose details are still on their way. */
  readonly inFlight: number;
  /** Jobs in the ledger that CodePipeline waits for and that have no active worker here. */
  readonly unattended: number;
  /** The processes that share the ledger; absent: this one is alone. */
  readonly fleet?: SeenFleet;
}

/** A poller's slots, or a job's; none while no poller has begun. */
export function slotGroupOf({ groups }: AdminSlots, of: PollerPlace): SlotCount | undefined {
  const name = `${placeName(of)} ${of.actionType}${of.query === undefined ? "" : ` ${of.query}`}`;
  return groups.find(({ pollers }) => pollers.includes(name));
}

interface PollerPlace {
  readonly account?: string | undefined;
  readonly region: string;
  readonly actionType: string;
  readonly query?: string | undefined;
}

/** True while an operator keeps this process, or its whole fleet, from taking jobs. */
export function isAnyPause({ isPaused, fleet }: Pick<AdminStatus, "isPaused" | "fleet">): boolean {
  return isPaused || fleet?.pause !== undefined;
}

/**
 * Slots that the jobs here could use, for whoever decides how many processes there should be. CodePipeline tells no length
 * of its queue: that it has more is known only where a full poll took the last slot, and then only that, not how many.
 */
export function slotsWanted(status: AdminStatus): number {
  const { slots, pollers, isDraining } = status;
  const waiting = slots.groups.reduce((sum, group) => sum + group.waiting, 0);
  const isFull = (group: SlotCount) => slots.working >= slots.max || group.working >= group.max;
  const full = pollers.filter(({ mayHaveMore }) => mayHaveMore).map((poller) => slotGroupOf(slots, poller));
  const more =
    isDraining || isAnyPause(status) ? [] : slots.groups.filter((group) => full.includes(group) && isFull(group));
  return slots.working + waiting + more.length;
}

/** Slots that jobs hold, without those that polls have reserved for a moment; of one group or of all. */
export function slotsHeld({ slots }: AdminStatus, group?: SlotCount): number {
  return (group ?? slots).working;
}

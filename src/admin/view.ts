// What the admin port's pages are shown of the engine: its status with its slots.
import type { StatusSnapshot } from "../engine/status.js";

/** Slots of all action types together, and of each entry (`group`). `parked`: jobs whose results are owed without one. */
export interface AdminSlots {
  readonly busy: number;
  readonly max: number;
  readonly parked: number;
  readonly groups: readonly SlotGroup[];
}

/** What the pollers of one entry of `actionTypes` share. */
export interface SlotGroup {
  readonly group: string;
  readonly busy: number;
  readonly max: number;
  readonly parked: number;
  /** Each a Region and an action type, with a blank between. */
  readonly lanes: readonly string[];
}

export interface AdminStatus extends StatusSnapshot {
  readonly slots: AdminSlots;
  /** Jobs in hand, those included whose details are still on their way. */
  readonly inFlight: number;
  /** Jobs that the ledger holds, CodePipeline waits for and nobody works here. */
  readonly left: number;
}

/** A poller's slots, or a job's; none while no poller has begun. */
export function slotGroupOf({ groups }: AdminSlots, of: Place): SlotGroup | undefined {
  return groups.find(({ lanes }) => lanes.includes(`${of.region} ${of.actionType}`));
}

interface Place {
  readonly region: string;
  readonly actionType: string;
}

/** Slots that jobs hold, without those that polls have reserved for a moment; of one group or of all. */
export function slotsHeld({ jobs, slots }: AdminStatus, group?: SlotGroup): number {
  const own = group === undefined ? jobs : jobs.filter((job) => slotGroupOf(slots, job) === group);
  return Math.max(0, own.length - (group ?? slots).parked);
}

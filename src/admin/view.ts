// What the admin port's pages are shown of the engine: its status with its slots.
import type { StatusSnapshot } from "../worker/status-snapshot.js";

/** Slots of all action types together, and of each (`group`). `parked`: jobs whose results are owed without a slot. */
export interface AdminSlots {
  readonly busy: number;
  readonly max: number;
  readonly parked: number;
  readonly groups: readonly {
    readonly group: string;
    readonly busy: number;
    readonly max: number;
    readonly parked: number;
  }[];
}

export interface AdminStatus extends StatusSnapshot {
  readonly slots: AdminSlots;
  /** Jobs in hand, those included whose details are still on their way. */
  readonly inFlight: number;
  /** Jobs that the ledger holds, CodePipeline waits for and nobody works here. */
  readonly left: number;
}

/** Slots that jobs hold, without those that polls have reserved for a moment; of one action type or of all. */
export function slotsHeld({ jobs, slots }: AdminStatus, actionType?: string): number {
  const parked =
    actionType === undefined ? slots.parked : (slots.groups.find(({ group }) => group === actionType)?.parked ?? 0);
  const own = jobs.filter((job) => !job.isUnfinished && (actionType === undefined || job.actionType === actionType));
  return Math.max(0, own.length - parked);
}

// What the admin port's pages are shown of the engine: its status with its slots.
import type { StatusSnapshot } from "../worker/status.js";

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
}

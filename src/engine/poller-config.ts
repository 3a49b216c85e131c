// One configured action type in one Region, as the engine sees it.
import { type ActionType, actionTypeName, type JobKey, type Region } from "../job/job.js";
import type { PollerName } from "./events.js";

export interface LaneConfig {
  readonly region: Region;
  readonly actionType: ActionType;
  /** Lanes of one entry of the configuration share this name, and by it `maxConcurrentJobs`. */
  readonly group: string;
  /** The handler's name in the configuration. */
  readonly handler: string;
  readonly maxConcurrentJobs: number;
  readonly jobTimeoutMs: number;
  readonly afterCrash: "fail" | "rerun";
  /** Configuration properties whose values are secret. */
  readonly secretProperties: readonly string[];
}

/** Names a lane: one poller, one way to slots. */
export function laneName(lane: { readonly region: Region; readonly actionType: ActionType }): string {
  return `${lane.region} ${actionTypeName(lane.actionType)}`;
}

/** The lane that a job came by. */
export function laneOf(lanes: ReadonlyMap<string, LaneConfig>, key: JobKey): LaneConfig | undefined {
  return lanes.get(laneName(key));
}

/** Lanes by their names. */
export function lanesByName(lanes: readonly LaneConfig[]): ReadonlyMap<string, LaneConfig> {
  return new Map(lanes.map((lane) => [laneName(lane), lane]));
}

/** What events call the lane's poller. */
export function pollerNameOf({ region, actionType }: LaneConfig): PollerName {
  return { region, actionType };
}

// One configured action type in one Region, as the engine sees it.
import { type ActionType, actionTypeName, type JobKey, type Region } from "../job/job.js";
import type { PollerName } from "./events.js";

export interface PollerConfig {
  readonly region: Region;
  readonly actionType: ActionType;
  /** Pollers of one entry of the configuration share this name, and by it `maxConcurrentJobs`. */
  readonly group: string;
  /** The handler's name in the configuration. */
  readonly handler: string;
  readonly maxConcurrentJobs: number;
  /** Of the group's, in work at once for one customer; absent: no cap. */
  readonly maxConcurrentJobsPerClient?: number | undefined;
  /** `client` or `configuration.NAME`: one job at a time for each value. */
  readonly serialBy?: string | undefined;
  /** Its group's share of the slots while they are short; absent: 1. */
  readonly weight?: number;
  readonly jobTimeoutMs: number;
  readonly afterCrash: "fail" | "rerun";
  /** Configuration properties whose values are secret. */
  readonly secretProperties: readonly string[];
  /** Those that are not, whatever they look like and whatever the action type says. */
  readonly notSecretProperties?: readonly string[];
}

/** Names a poller, and its way to slots. */
export function pollerKey(config: { readonly region: Region; readonly actionType: ActionType }): string {
  return `${config.region} ${actionTypeName(config.actionType)}`;
}

/** The poller that a job came by. */
export function configOf(pollers: ReadonlyMap<string, PollerConfig>, key: JobKey): PollerConfig | undefined {
  return pollers.get(pollerKey(key));
}

/** Pollers by their keys. */
export function configsByKey(pollers: readonly PollerConfig[]): ReadonlyMap<string, PollerConfig> {
  return new Map(pollers.map((config) => [pollerKey(config), config]));
}

/** What events call the poller. */
export function pollerNameOf({ region, actionType }: PollerConfig): PollerName {
  return { region, actionType };
}

// One configured action type in one account and Region, with one value of its queryable property, as the engine sees it.
import { type ActionType, defaultAccount, type JobKey, type Place, placeOf, pollerName, typeKey } from "../job/job.js";
import type { PollerName } from "./events.js";

export interface PollerConfig extends Place {
  readonly actionType: ActionType;
  /** The queryable property and its value, for a type that has one: only such jobs are offered. */
  readonly queryParam?: Readonly<Record<string, string>>;
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

/** A poller of the job's type: all of them have the same settings, but for what they ask for, which no job says. */
export function configOf(pollers: ReadonlyMap<string, PollerConfig>, key: JobKey): PollerConfig | undefined {
  const name = typeKey(key);
  const alone = pollers.get(name);
  if (alone) return alone;
  // No name of an action type has a space.
  for (const [each, config] of pollers) if (each.startsWith(`${name} `)) return config;
  return undefined;
}

/** Why there is no poller of the job's type. */
export function notConfigured(pollers: ReadonlyMap<string, PollerConfig>, { account }: JobKey): string {
  const isThere = [...pollers.values()].some((config) => config.account === account);
  const what = isThere ? "its action type" : `its account, ${account ?? defaultAccount},`;
  return `${what} is no longer configured here`;
}

/** Pollers by their keys. */
export function configsByKey(pollers: readonly PollerConfig[]): ReadonlyMap<string, PollerConfig> {
  return new Map(pollers.map((config) => [pollerKey(config), config]));
}

interface Names {
  readonly key: string;
  readonly name: PollerName;
}

/** A configuration never changes. Spelled out for each of a poll's steps, the names took a twentieth of its CPU. */
const namesOfConfigs = new WeakMap<PollerConfig, Names>();

/** Names a configured poller, and its way to slots. */
export function pollerKey(config: PollerConfig): string {
  return namesOf(config).key;
}

/** What events call the poller. */
export function pollerNameOf(config: PollerConfig): PollerName {
  return namesOf(config).name;
}

function namesOf(config: PollerConfig): Names {
  const known = namesOfConfigs.get(config);
  if (known) return known;
  const { actionType, queryParam, ...place } = config;
  const query = queryParam && queryText(queryParam);
  const name = { ...placeOf(place), actionType, ...(query === undefined ? {} : { query }) };
  const names = { key: pollerName(name), name };
  namesOfConfigs.set(config, names);
  return names;
}

/** Such as `Project=shop`. */
function queryText(queryParam: Readonly<Record<string, string>>): string {
  return Object.entries(queryParam)
    .map(([property, value]) => `${property}=${value}`)
    .join(" ");
}

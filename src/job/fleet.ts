// What replicas that share a ledger tell each other and people: how each of them stands, and whether all of them are to
// take no jobs. What another one wrote is checked. Pure.
import type { JobKey } from "./job.js";

/** Nobody of the fleet takes jobs until somebody resumes it. */
export interface FleetPause {
  readonly sinceMs: number;
  /** Who paused it, as they are called. */
  readonly by: string;
}

/** What a replica says of itself with each heartbeat. */
export interface ReplicaNote {
  readonly version: string;
  readonly state: "working" | "paused" | "draining";
  readonly slotsMax: number;
  readonly slotsHeld: number;
  /** In hand, results that are owed among them. */
  readonly jobs: number;
  readonly owed: number;
  readonly startedAtMs: number;
  /** Where people reach its console; absent: from its own machine only. */
  readonly url?: string;
}

/** A replica as this one sees it. */
export interface SeenReplica {
  readonly replica: string;
  readonly isSelf: boolean;
  /** Its heartbeat has stood still for its whole lease: others take its jobs over. */
  readonly isGone: boolean;
  /** For how long no new heartbeat of it was seen. */
  readonly silentMs: number;
  readonly host?: string;
  readonly pid?: number;
  /** Absent: an older version wrote its row. */
  readonly note?: ReplicaNote;
}

/** The fleet, as the last look found it. */
export interface SeenFleet {
  /** How old the look is; absent: there was none yet. */
  readonly ageMs?: number;
  readonly pause?: FleetPause;
  readonly replicas: readonly SeenReplica[];
}

/** One job that the fleet holds or owes, whoever has it; times in ms since the epoch. */
export interface FleetJob {
  readonly key: JobKey;
  readonly standing: "asked" | "running" | "awaits-callback" | "owed" | "damaged";
  /** Since when it is in its state; NaN if unknown. */
  readonly sinceMs: number;
  /** Absent: nobody, until a replica finds it. */
  readonly heldBy?: { readonly replica: string; readonly host?: string; readonly pid?: number };
}

/** Some jobs of a fleet. */
export interface FleetJobPage {
  readonly jobs: readonly FleetJob[];
  /** How many there are in all. */
  readonly count: number;
  /** There are more than were counted. */
  readonly isCut: boolean;
}

const textMax = 200;
const states = ["working", "paused", "draining"] as const;

/** A note as it goes into a replica's row: a heartbeat must stay within one write unit. */
export function noteText({ version, url, ...note }: ReplicaNote): string {
  const address = url !== undefined && url.length <= textMax ? { url } : {};
  return JSON.stringify({ version: version.slice(0, 40), ...note, ...address });
}

/** A note that was read; `undefined`: it is none. */
export function noteFrom(text: string | undefined): ReplicaNote | undefined {
  const { version, state, url, ...numbers } = parsed(text);
  const [slotsMax, slotsHeld, jobs, owed, startedAtMs] = ["slotsMax", "slotsHeld", "jobs", "owed", "startedAtMs"].map(
    (name) => countOf(numbers[name]),
  );
  const known = states.find((each) => each === state);
  if (typeof version !== "string" || known === undefined) return undefined;
  if (slotsMax === undefined || slotsHeld === undefined || jobs === undefined) return undefined;
  if (owed === undefined || startedAtMs === undefined) return undefined;
  const address = typeof url === "string" && isAddress(url) ? { url } : {};
  return { version: version.slice(0, 40), state: known, slotsMax, slotsHeld, jobs, owed, startedAtMs, ...address };
}

function parsed(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** A link of a page: nothing that a browser would run. */
function isAddress(url: string): boolean {
  return url.length <= textMax && /^https?:\/\/[\x21-\x7e]+$/.test(url);
}

/** Who paused, cut to what a row and a page take. */
export function pausedBy(by: string): string {
  return (
    by
      .replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ")
      .trim()
      .slice(0, textMax)
      .toWellFormed() || "unknown"
  );
}

/** A pause in words. */
export function pauseText({ sinceMs, by }: FleetPause): string {
  const since = Number.isFinite(sinceMs)
    ? ` since ${new Date(sinceMs).toISOString().slice(0, 16).replace("T", " ")} UTC`
    : "";
  return `the fleet is paused${since} by ${by}`;
}

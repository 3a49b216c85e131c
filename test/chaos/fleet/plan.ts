// What one run of the fleet suffers, drawn from its seed alone: settings of the emulator, jobs, faults of single calls
// to the table, and deeds done to daemons. Pure: the same seed is the same plan. Times are in ms from the start of the run.

import type { Settings } from "../../../src/emulator/emulator-settings.js";
import { seededRandom } from "../../../src/emulator/random.js";
import type { ChildOrder } from "../daemon-child.js";

export type ActionTypes = ChildOrder["actionTypes"];

/** Shorter than users may set it, so that a run takes seconds; longer than the grace and the margin by far. */
export const leaseMs = 3_000;
/** What handlers may take to stop; they take nearly all of it. */
export const cancelGraceMs = 1_000;
export const daemons = 3;

/** Something that is done to one daemon, or to the table. `forMs`: until it is undone. */
export type Deed = { readonly atMs: number; readonly forMs: number } /** None of its calls reach the table. */ & (
  | { readonly kind: "cut"; readonly daemon: number }
  /** Its calls reach the table, and no answer reaches it. */
  | { readonly kind: "mute"; readonly daemon: number }
  /** SIGSTOP, then SIGCONT; its commands run on. */
  | { readonly kind: "freeze"; readonly daemon: number }
  /** Its wall clock is so far off from then on. */
  | { readonly kind: "clock"; readonly daemon: number; readonly offsetMs: number }
  /** SIGKILL to it and its commands, as when a machine dies; a new one starts afterwards. */
  | { readonly kind: "kill"; readonly daemon: number }
  /** SIGTERM; a new one starts once it has ended. */
  | { readonly kind: "drain"; readonly daemon: number }
  /** The answers to whatever is asked of the rows of every third job are lost. */
  | { readonly kind: "storm"; readonly third: number }
  /** The table is deleted, and is there again, empty, afterwards. */
  | { readonly kind: "table" }
);

export interface PlannedJob {
  readonly atMs: number;
  readonly id: string;
  /** Index into the action types. */
  readonly type: number;
  readonly action: string;
}

export interface Plan {
  readonly seed: number;
  readonly settings: Partial<Settings>;
  readonly actionTypes: ActionTypes;
  readonly jobs: readonly PlannedJob[];
  readonly deeds: readonly Deed[];
  /** How often single calls to the table go wrong; 0: never. */
  readonly roughness: number;
  /** The share of acknowledges and results whose answer CodePipeline loses. */
  readonly lostAnswers: number;
  /** From here on everything is well again. */
  readonly quietAtMs: number;
}

const handlers = ["scripted", "command", "service"] as const;
const quick = ["succeeds", "fails", "throws", "continues", "takes-time"] as const;
const hourMs = 3_600_000;

/** `without` names handlers and deeds that are left out, to look beneath what is known of them; all else stays as it is. */
export function planOf(seed: number, without: readonly string[] = []): Plan {
  const { jobs, deeds, actionTypes, ...plan } = wholePlanOf(seed);
  return {
    ...plan,
    actionTypes,
    jobs: jobs.filter(({ type }) => !without.includes(actionTypes[type]?.handler ?? "")),
    deeds: deeds.filter(({ kind }) => !without.includes(kind)),
  };
}

function wholePlanOf(seed: number): Plan {
  const random = seededRandom(seed);
  const between = (min: number, max: number) => Math.round(min + random() * (max - min));
  const pick = <T>(...values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];
  const actionTypes = handlers.flatMap((handler) =>
    (["fail", "rerun"] as const).map((afterCrash) => {
      const flavour = pick(
        { category: "Test", owner: "ThirdParty" } as const,
        { category: "Build", owner: "Custom" } as const,
      );
      return { ...flavour, version: "1", provider: `${handler}-${afterCrash}`, afterCrash, handler };
    }),
  );
  const isTable = random() < 0.1;
  const deeds = isTable ? tableDeeds(between) : deedsOf(random, between, pick);
  const lastMs = Math.max(...deeds.map(({ atMs, forMs }) => atMs + forMs), leaseMs);
  const jobs = Array.from({ length: between(12, 18) }, (_, n): PlannedJob => {
    const type = Math.floor(random() * actionTypes.length);
    const isQuick = random() < 0.4;
    return {
      // Half of them at once; the others come while things go wrong.
      atMs: n % 2 === 0 ? 0 : between(0, lastMs),
      // Custom jobs have UUIDs.
      id: `${String(seed % 2 ** 31)
        .padStart(8, "0")
        .slice(-8)}-0000-4000-8000-${String(n).padStart(12, "0")}`,
      type,
      action: isQuick ? pick(...quick) : `${pick("slow", "lingers")}-${between(300, 1.3 * leaseMs)}`,
    };
  });
  return {
    seed,
    settings: {
      redeliveryMs: pick(600, 1_500),
      continuationDelayMs: pick(0, 30),
      repeatedAcknowledge: seed % 2 === 0 ? "InProgress" : "InvalidNonceException",
      freshNonceAtRedelivery: pick(true, false),
      freshNonceAtDetails: pick(false, true),
      putAfterEnd: pick("InvalidJobStateException", "JobNotFoundException"),
      detailsAfterEnd: pick("answered", "InvalidJobException", "JobNotFoundException"),
    },
    actionTypes,
    jobs,
    deeds,
    roughness: pick(0, 1, 2, 4),
    lostAnswers: pick(0, 0, 0.15),
    quietAtMs: lastMs + 200,
  };
}

/** One or two deeds to each daemon, one after the other, and now and then a storm. */
function deedsOf(
  random: () => number,
  between: (min: number, max: number) => number,
  pick: <T>(...values: readonly [T, ...T[]]) => T,
): readonly Deed[] {
  const deeds: Deed[] = [];
  for (let daemon = 0; daemon < daemons; daemon++) {
    let atMs = between(300, 1_500);
    for (let n = between(0, 2); n > 0; n--) {
      const deed = deedTo(daemon, atMs, between, pick);
      deeds.push(deed);
      atMs += deed.forMs + between(200, leaseMs);
    }
  }
  if (random() < 0.5) {
    deeds.push({
      kind: "storm",
      third: between(0, 2),
      atMs: between(200, 2_000),
      forMs: between(1_000, 2.5 * leaseMs),
    });
  }
  return deeds.toSorted((a, b) => a.atMs - b.atMs);
}

function deedTo(
  daemon: number,
  atMs: number,
  between: (min: number, max: number) => number,
  pick: <T>(...values: readonly [T, ...T[]]) => T,
): Deed {
  // Shorter than the lease, about as long as it, and longer.
  const forMs = pick(
    between(0.3 * leaseMs, 0.8 * leaseMs),
    between(0.8 * leaseMs, 1.3 * leaseMs),
    between(1.3 * leaseMs, 2 * leaseMs),
  );
  const kind = pick("cut", "mute", "freeze", "freeze", "clock", "kill", "kill", "drain");
  if (kind === "clock") return { kind, daemon, atMs, forMs: 0, offsetMs: pick(-hourMs, hourMs) };
  if (kind === "kill" || kind === "drain") return { kind, daemon, atMs, forMs: between(100, 0.7 * leaseMs) };
  if (kind === "freeze" && forMs > 1.9 * leaseMs) return { kind, daemon, atMs, forMs: 3 * leaseMs };
  return { kind, daemon, atMs, forMs };
}

/** Nothing else: whoever died without its rows is forgotten, and nobody could help that. */
function tableDeeds(between: (min: number, max: number) => number): readonly Deed[] {
  return [{ kind: "table", atMs: between(500, 2_000), forMs: between(100, 2 * leaseMs) }];
}

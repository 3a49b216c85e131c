// What we know of whether the row of a job in a shared ledger is under our name. A take is written down before it is
// sent and its answer can be lost; this table is the one place that decides what follows. And the times that follow from
// the length of a lease. Pure: no I/O, no clock.

export type LeaseState =
  /** The row is not under our name, or no longer. */
  | "free"
  /** A write that puts our name into the row is under way. */
  | "taking"
  /** That write may have happened, or may still happen: no replica runs the job until another write clears the row. */
  | "unsure"
  /** The row says that we have it. */
  | "held"
  /** Our lease expires so soon that work must end now; the row may still name us. */
  | "stopping"
  /** Another replica has the job; the run of it here has not ended yet. */
  | "lost"
  /** The job has no active worker here any more, but the row does not say so yet. */
  | "released";

export type LeaseEventType =
  /** A take is about to be sent. */
  | "sent"
  /** The take is answered: the row is ours. */
  | "answered"
  /** The table answered that the row is another replica's, or changed before our write. */
  | "refused"
  /** No answer came; the write may have happened, or may still happen. */
  | "no-answer"
  /** Handlers that are stopped any later would still run when our lease expires. */
  | "lapsing"
  /** The run of the job here has ended. */
  | "given-back"
  /** The row has its final content: the job's end, or that no replica has it. */
  | "written";

/** The next state for each event. An event that is not listed for a state changes nothing. */
export const leaseMoves: Readonly<Record<LeaseState, Partial<Record<LeaseEventType, LeaseState>>>> = {
  free: { sent: "taking" },
  // Whether the take succeeds or not: no work begins under a lease that is about to expire.
  taking: { answered: "held", refused: "free", "no-answer": "unsure", lapsing: "unsure" },
  unsure: { written: "free", refused: "free" },
  held: { refused: "lost", lapsing: "stopping", "given-back": "released" },
  stopping: { refused: "lost", "given-back": "released" },
  lost: { "given-back": "free" },
  released: { written: "free", refused: "free" },
};

/** The state after the event. */
export function leaseAfter(state: LeaseState, event: LeaseEventType): LeaseState {
  return leaseMoves[state][event] ?? state;
}

/** True when the job may be worked, and events of it recorded. */
export function mayWork(state: LeaseState): boolean {
  return state === "held";
}

/** True when the job has no active worker here, but the row may name us: it is rewritten until it does not. */
export function mustBeGivenAway(state: LeaseState): boolean {
  return state === "unsure" || state === "released";
}

/** True while the row may name us, so that our lease must be renewed. */
export function mayBeOurRow(state: LeaseState): boolean {
  return state !== "free" && state !== "lost";
}

/** The times of one replica, in whole ms. */
export interface LeasePace {
  /** From its last heartbeat on: how long it holds its name, which its row says, and others wait. */
  readonly heldMs: number;
  /** From its last heartbeat on: when its handlers are stopped. */
  readonly workMs: number;
  /** Between two heartbeats. */
  readonly beatMs: number;
  /** Between two looks for replicas that fell silent. */
  readonly lookMs: number;
}

/** Jobs of a dead replica are taken over at most this long after its lease expired. */
export const takeoverMs = 5_000;
/** The part of it for the table's answers; the rest is for a late look. */
const answersMs = 1_000;
/** Handlers that are killed at the end of their grace need a moment to be gone. */
const killMs = 500;
/** A shorter lease leaves no time to work: one late answer of the table would stop every handler. */
const leastWorkMs = 3_000;

/**
 * A replica that looks rarely learns late of a last heartbeat, so the time between looks is subtracted from how long a
 * replica holds its lease: with a lease of 30 s, 20 idle replicas make fewer than 400 calls a minute.
 */
export function leasePace(leaseMs: number, graceMs: number): LeasePace {
  const lookMs = Math.round(Math.min(Math.max(leaseMs / 3 - 2_000, 1_500), 8_000));
  const heldMs = leaseMs + takeoverMs - answersMs - lookMs;
  // The configuration rejects a lease that is too short for more grace than that.
  const workMs = Math.max(heldMs - graceMs - killMs, Math.min(Math.floor(heldMs / 2), leastWorkMs));
  return { heldMs, workMs, beatMs: Math.floor(Math.min(heldMs / 3, workMs / 2.5)), lookMs };
}

/** The shortest lease that leaves time to work before handlers with this grace must be stopped, in whole seconds. */
export function leastLeaseMs(graceMs: number): number {
  const spareMs = graceMs + leastWorkMs + killMs - takeoverMs + answersMs;
  const leastMs = Math.max(spareMs + 1_500, Math.min((spareMs - 2_000) * 1.5, spareMs + 8_000));
  return Math.ceil(leastMs / 1_000) * 1_000;
}

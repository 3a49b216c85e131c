// What we know of whether the row of a job in a shared ledger is under our name. A take is written down before it is
// sent and its answer can be lost; this table is the one place that decides what follows. And the times that follow from
// the length of a lease. Pure: no I/O, no clock.

export type LeaseState =
  /** The row is not under our name, or no longer. */
  | "free"
  /** A write that puts our name into the row is under way. */
  | "taking"
  /** That write may have happened or may yet: nobody works the job until another write gives it to nobody. */
  | "unsure"
  /** The row says that we have it. */
  | "held"
  /** Our name runs out so soon that work must end now; the row may still say that we have it. */
  | "stopping"
  /** Another replica has the job; whoever worked it here has not noticed yet. */
  | "lost"
  /** Nobody works the job here any more; the row has yet to say so. */
  | "released";

export type LeaseEventType =
  /** A take is about to be sent. */
  | "sent"
  /** The take is answered: the row is ours. */
  | "answered"
  /** The table's own word that the row is another's, or changed before our write came. */
  | "refused"
  /** No answer came; what was sent may have been done, or may be done yet. */
  | "no-answer"
  /** Our name in the fleet runs out before handlers that are told to stop later would have ended. */
  | "lapsing"
  /** Whoever worked the job here has ended. */
  | "given-back"
  /** The row says what it is to say: the job's end, or that nobody has it. */
  | "written";

/** What each event makes of each state; an event that a state does not name changes nothing. */
export const leaseMoves: Readonly<Record<LeaseState, Partial<Record<LeaseEventType, LeaseState>>>> = {
  free: { sent: "taking" },
  // Taken or not by the time the answer comes: no work begins under a name that runs out.
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

/** True when nobody works the job here, and the row may be under our name: it is written until it says so. */
export function mustBeGivenAway(state: LeaseState): boolean {
  return state === "unsure" || state === "released";
}

/** True while the row may be under our name, so that the name must stay. */
export function mayBeOurRow(state: LeaseState): boolean {
  return state !== "free" && state !== "lost";
}

/** The times of one replica, in whole ms. */
export interface LeasePace {
  /** From its last heartbeat on: how long it holds its name, which its row says, and others wait. */
  readonly heldMs: number;
  /** From its last heartbeat on: when its handlers are told to stop. */
  readonly workMs: number;
  /** Between two heartbeats. */
  readonly beatMs: number;
  /** Between two looks for replicas that fell silent. */
  readonly lookMs: number;
}

/** Jobs of a dead replica are taken over so long after its lease at the latest. */
export const takeoverMs = 5_000;
/** Of that for the answers of the table; the rest a look may be late. */
const answersMs = 1_000;
/** Handlers that are killed at the end of their grace need a moment to be gone. */
const killMs = 500;
/** Less is no time to work in: one late answer of the table would stop every handler. */
const leastWorkMs = 3_000;

/**
 * Who looks seldom learns late of a last heartbeat, so the time that looks are apart is taken off what a replica holds
 * its name: with a lease of 30 s, 20 idle replicas make fewer than 400 calls a minute.
 */
export function leasePace(leaseMs: number, graceMs: number): LeasePace {
  const lookMs = Math.round(Math.min(Math.max(leaseMs / 3 - 2_000, 1_500), 8_000));
  const heldMs = leaseMs + takeoverMs - answersMs - lookMs;
  // No more grace than that: the configuration refuses such a lease.
  const workMs = Math.max(heldMs - graceMs - killMs, Math.min(Math.floor(heldMs / 2), leastWorkMs));
  return { heldMs, workMs, beatMs: Math.floor(Math.min(heldMs / 3, workMs / 2.5)), lookMs };
}

/** The shortest lease that leaves time to work before handlers with so much grace must be told to stop; whole seconds. */
export function leastLeaseMs(graceMs: number): number {
  const spareMs = graceMs + leastWorkMs + killMs - takeoverMs + answersMs;
  const leastMs = Math.max(spareMs + 1_500, Math.min((spareMs - 2_000) * 1.5, spareMs + 8_000));
  return Math.ceil(leastMs / 1_000) * 1_000;
}

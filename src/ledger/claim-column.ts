// How a claim comes back out of a ledger's row, also out of rows that an older partnerd wrote: those had a nonce, and in
// its place, for a job that was only presumed ours, a text longer than any nonce. Pure.
import type { Claim } from "../job/claim.js";
import type { Nonce } from "../job/job.js";
import type { JobState } from "../job/lifecycle.js";
import { limits } from "../job/limits.js";

/** The claim of a row in this state; `undefined`: no partnerd wrote that. */
export function claimFrom(state: JobState, is: unknown, nonce: unknown): Claim | undefined {
  const asked = typeof nonce === "string" && nonce !== "" ? (nonce as Nonce) : undefined;
  switch (is ?? olderClaim(state, asked)) {
    case "none":
      return { is: "none" };
    case "asked":
      return asked && { is: "asked", nonce: asked };
    case "presumed":
      return { is: "presumed" };
    case "ours":
      return { is: "ours" };
    default:
      return undefined;
  }
}

function olderClaim(state: JobState, nonce: Nonce | undefined): Claim["is"] {
  if (nonce !== undefined && nonce.length > limits.nonce) return "presumed";
  if (state === "acknowledging") return "asked";
  return state === "polled" || state === "detailed" ? "none" : "ours";
}

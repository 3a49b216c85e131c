// What the other side asks us to wait: read in one way, and believed in one measure. A proxy's or a load balancer's
// word must not park a result past the time that its action has, however large its number is.

/** Whatever a policy says, so long a wish is fulfilled. */
const alwaysBelievedMs = 60_000;

/** A `Retry-After` header, in seconds or as a date, in ms; `undefined` when absent, senseless, zero or past. */
export function retryAfterMs(header: unknown, nowMs: number): number | undefined {
  if (typeof header !== "string" || header.trim() === "") return undefined;
  const seconds = Number(header);
  const askedMs = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1_000;
  return Number.isFinite(askedMs) && askedMs > 0 ? askedMs : undefined;
}

/** How long a wait must be since the other side asked for it: at most the policy's own longest, or a minute if longer. */
export function believedMs(askedMs: number | undefined, policyMaxMs: number): number {
  return Math.min(askedMs ?? 0, Math.max(policyMaxMs, alwaysBelievedMs));
}

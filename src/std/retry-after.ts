// What the other side asks us to wait: read in one way, and believed in one measure. A proxy's or a load balancer's
// word must not park a result past the time that its action has, however large its number is.

/** Whatever a policy says, so long a wish is fulfilled. */
const alwaysBelievedMs = 60_000;

/**
 * What an answer's `Retry-After` asks for, in seconds or as a date, in ms; `undefined` when absent, senseless, zero or
 * past. A date is of the other side's clock: counted from what that clock says now (`Date`), else from `nowMs`.
 */
export function retryAfterMs(headers: unknown, nowMs: number): number | undefined {
  const header = textOf(headers, "retry-after");
  if (header.trim() === "") return undefined;
  const seconds = Number(header);
  const sentMs = Date.parse(textOf(headers, "date"));
  const untilMs = Date.parse(header) - (Number.isNaN(sentMs) ? nowMs : sentMs);
  const askedMs = Number.isNaN(seconds) ? untilMs : seconds * 1_000;
  return Number.isFinite(askedMs) && askedMs > 0 ? askedMs : undefined;
}

function textOf(headers: unknown, name: string): string {
  const value =
    typeof headers === "object" && headers !== null ? (headers as Record<string, unknown>)[name] : undefined;
  return typeof value === "string" ? value : "";
}

/** How long a wait must be since the other side asked for it: at most the policy's own longest, or a minute if longer. */
export function believedMs(askedMs: number | undefined, policyMaxMs: number): number {
  return Math.min(askedMs ?? 0, Math.max(policyMaxMs, alwaysBelievedMs));
}

// Which slots are all in use, and since when no poll could be made for want of one: so long have new jobs waited, if there
// are any, since CodePipeline tells no length of its queue. Under load slots are free for moments only, so a limit that
// was reached counts as reached for a while, instead of changing the page's colour every second.
import { type AdminStatus, isAnyPause, slotGroupOf, slotsHeld } from "./view.js";

/** A limit that is reached. */
export interface FullSlots {
  /** The action types whose limit it is; undefined: that of the worker. */
  readonly actionTypes: readonly string[] | undefined;
  readonly max: number;
  /** The last poll that asked for such jobs, ms since the epoch: those that came later wait. */
  readonly lastPollAtMs: number | undefined;
}

/** How long a limit counts as reached after it was seen so. */
const keptMs = 15_000;

/** The limits that are reached at this moment. */
export function fullSlots(status: AdminStatus): readonly FullSlots[] {
  const { slots, pollers, isDraining } = status;
  if (isAnyPause(status) || isDraining) return [];
  if (slotsHeld(status) >= slots.max) {
    return [{ actionTypes: undefined, max: slots.max, lastPollAtMs: lastPoll(pollers) }];
  }
  const full = slots.groups.filter((group) => slotsHeld(status, group) >= group.max);
  return full.flatMap((group): readonly FullSlots[] => {
    const own = pollers.filter((poller) => slotGroupOf(slots, poller) === group);
    if (own.length === 0) return [];
    const actionTypes = [...new Set(own.map(({ actionType }) => actionType))];
    return [{ actionTypes, max: group.max, lastPollAtMs: lastPoll(own) }];
  });
}

function lastPoll(pollers: AdminStatus["pollers"]): number | undefined {
  const times = pollers.flatMap(({ lastPollAtMs }) => lastPollAtMs ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Remembers which limits were reached a moment ago. */
export class Saturation {
  readonly #seen = new Map<string, { readonly limit: FullSlots; readonly atMs: number }>();

  /** The limits that are or were just reached. */
  look(status: AdminStatus): readonly FullSlots[] {
    const { atMs } = status;
    if (isAnyPause(status) || status.isDraining) this.#seen.clear();
    for (const limit of fullSlots(status)) this.#seen.set(JSON.stringify(limit.actionTypes ?? []), { limit, atMs });
    for (const [name, seen] of this.#seen) if (Math.abs(atMs - seen.atMs) > keptMs) this.#seen.delete(name);
    return [...this.#seen.values()].map(({ limit, atMs: seenMs }) => {
      // Since then it could be asked again.
      return seenMs === atMs ? limit : { ...limit, lastPollAtMs: undefined };
    });
  }
}

// The customers of one action type in line, each with its offers: who is given the next slot. Pure: what may not be had is
// told by whoever asks.
import type { KeptOffer } from "./kept-offers.js";

/** Jobs in work of one customer: of all entries together, and of one. */
export interface Counts {
  all: number;
  here: number;
}

/** One customer's offers. */
export interface Line {
  /** Among all lines. */
  readonly place: number;
  readonly offers: Iterator<KeptOffer>;
  readonly counts: Counts;
  readonly mayHaveMore: () => boolean;
}

/**
 * Up to `most` offers, each of whoever has the fewest in work then; of several, of the one whose offers came first. Goes
 * up by steps of so many in work and looks at a line once on each: thousands of customers may wait for one value.
 */
export function fewestFirst(lines: readonly Line[], most: number, serials: Set<string>): readonly KeptOffer[] {
  const found: KeptOffer[] = [];
  const steps = Map.groupBy(lines, ({ counts }) => counts.here);
  for (let step = 0; steps.size > 0 && found.length < most; step += 1) {
    const risen: Line[] = [];
    for (const line of steps.get(step)?.sort((one, other) => one.place - other.place) ?? []) {
      if (found.length === most) break;
      const offer = line.mayHaveMore() ? nextOf(line.offers, serials) : undefined;
      // What stands in its way stays there as long as we look.
      if (!offer) continue;
      if (offer.serial !== undefined) serials.add(offer.serial);
      line.counts.here += 1;
      line.counts.all += 1;
      found.push(offer);
      risen.push(line);
    }
    steps.delete(step);
    if (risen.length > 0) steps.set(step + 1, [...(steps.get(step + 1) ?? []), ...risen]);
  }
  return found;
}

/** Those that were named first, then the others, each in the order of their offers. */
export function* inOrder(
  offers: ReadonlyMap<string, KeptOffer>,
  names: ReadonlySet<string> = new Set(),
): Generator<KeptOffer> {
  for (const [name, offer] of offers) if (names.has(name)) yield offer;
  for (const [name, offer] of offers) if (!names.has(name)) yield offer;
}

/** The first whose value is free; those before it wait on. */
function nextOf(offers: Iterator<KeptOffer>, taken: ReadonlySet<string>): KeptOffer | undefined {
  for (let each = offers.next(); !each.done; each = offers.next()) {
    const { serial } = each.value;
    if (serial === undefined || !taken.has(serial)) return each.value;
  }
  return undefined;
}

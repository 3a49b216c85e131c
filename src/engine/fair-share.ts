// Whose turn it is when several wait for slots. Pure: it sees what each holds, and knows nothing of polls and jobs.

/** One that waits for slots. */
export interface Waiting {
  /** Slots that those hold together who have one weight. */
  readonly held: number;
  readonly weight: number;
  /** How many of them are its own. */
  readonly own: number;
}

/**
 * Of those that wait and may have one, the one that holds the least for its weight; of those who share a weight, the one that holds the
 * least itself; else the first. Nobody starves: who holds nothing comes before everybody who holds something, and
 * those that hold nothing come in their order.
 */
export function nextInTurn<T extends Waiting>(
  waiting: Iterable<T>,
  mayHave: (each: T) => boolean = () => true,
): T | undefined {
  let next: T | undefined;
  for (const each of waiting) if (mayHave(each) && (next === undefined || isBefore(each, next))) next = each;
  return next;
}

function isBefore(one: Waiting, other: Waiting): boolean {
  // Products, not quotients: 1/3 of 3 is not always 1.
  const difference = one.held * other.weight - other.held * one.weight;
  return difference === 0 ? one.own < other.own : difference < 0;
}

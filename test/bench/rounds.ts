// The rounds of a benchmark's part, within its time; and what it says of its progress.

export interface RoundsWanted {
  readonly rounds: number;
  readonly seconds: number;
}

/**
 * The numbers of the rounds, from 0: as many as are wanted, but none that would not be over in time if it took as long as
 * the longest so far. The first is always made.
 */
export function* roundsWithin(
  { rounds, seconds }: RoundsWanted,
  nowMs: () => number = () => performance.now(),
): Generator<number, void> {
  const beganMs = nowMs();
  let longestMs = 0;
  for (let round = 0; round < rounds; round++) {
    const roundMs = nowMs();
    if (round > 0 && roundMs - beganMs + longestMs > seconds * 1_000) {
      progress(`${round} of ${rounds} rounds: there is no time for more`);
      return;
    }
    yield round;
    longestMs = Math.max(longestMs, nowMs() - roundMs);
  }
}

/** One line of progress, with the seconds since the part began. */
export function progress(text: string): void {
  console.log(`  · ${(performance.now() / 1_000).toFixed(0).padStart(3)} s  ${text}`);
}

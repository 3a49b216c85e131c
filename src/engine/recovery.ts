// Recovers the jobs of a previous process, or of another replica: starts each job's story again, and gives back what is
// not configured here.
import type { UnfinishedJob } from "../ledger/ledger.js";
import { type FoundJob, LedgerError } from "../ledger/ledger.js";
import type { Parts } from "./context.js";
import { laneName, laneOf } from "./poller-config.js";
import type { Runner } from "./runner.js";
import type { Slots } from "./slots.js";
import { turnOf } from "./story.js";

/** How often a ledger that cannot be read is tried again, in ms. */
const lookAgainMs = 1_000;
/** How many are given back at once: a ledger that does not answer must not cost its timeout for each of them. */
const givenBackTogether = 50;

/** Recovers what is configured here; the rest stays in the ledger, for another process or another configuration. */
export async function recover(parts: Parts, runner: Runner, unfinished: readonly UnfinishedJob[]): Promise<void> {
  const others: UnfinishedJob[] = [];
  const isStopped = parts.scopes.poll.aborted;
  for (const found of unfinished) {
    const lane = laneOf(parts.lanes, found.lease.key);
    if (lane && !isStopped) runner.resume(found, lane);
    else others.push(found);
  }
  for (const { lease } of others) {
    const why = isStopped ? "stopped before it was recovered" : "its action type is no longer configured here";
    const message = `${why}; it stays in the ledger`;
    const isOurs = runner.setAside(lease.key, lease.state);
    parts.emit({ type: "job-left", key: lease.key, state: lease.state, isOurs, message });
  }
  await giveBack(parts, others);
}

async function giveBack(parts: Parts, jobs: readonly UnfinishedJob[]): Promise<void> {
  const { ledger } = parts.world;
  for (let from = 0; from < jobs.length; from += givenBackTogether) {
    await Promise.all(jobs.slice(from, from + givenBackTogether).map(({ lease }) => ledger.release(lease)));
  }
}

/** Recovers what other replicas leave, as long as the poll scope lasts; nothing to do when the ledger is ours alone. */
export async function recoverOthers(parts: Parts, runner: Runner, slots: Slots): Promise<void> {
  // While jobs of a lane wait for slots it takes no further ones to work: other replicas may have free slots. Results
  // that are owed need none.
  const isWanted = (job: FoundJob) => {
    const lane = laneOf(parts.lanes, job.key);
    return lane !== undefined && !slots.isWaitedFor(laneName(lane), turnOf(job, lane));
  };
  const found = parts.world.ledger.watch?.(isWanted, parts.scopes.poll) ?? [];
  for await (const jobs of found) await recover(parts, runner, jobs);
}

/** Recovers jobs of action types that are configured again. A shared ledger is watched all the time anyway. */
export async function recoverReturned(parts: Parts, runner: Runner): Promise<void> {
  const { clock, ledger } = parts.world;
  while (!ledger.watch && !parts.scopes.poll.aborted) {
    try {
      const unfinished = await ledger.unfinished();
      const { wanted = [], others = [] } = Object.groupBy(unfinished, ({ lease }) =>
        laneOf(parts.lanes, lease.key) ? "wanted" : "others",
      );
      await giveBack(parts, others);
      return await recover(parts, runner, wanted);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      await clock.sleep(lookAgainMs, parts.scopes.poll);
    }
  }
}

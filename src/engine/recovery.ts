// Recovers the jobs of a previous process, or of another replica: starts each job's story again, and gives back what is
// not configured here.
import type { UnfinishedJob } from "../ledger/ledger.js";
import { type FoundJob, LedgerError } from "../ledger/ledger.js";
import type { EngineContext } from "./context.js";
import { configOf, notConfigured, pollerKey } from "./poller-config.js";
import type { Runner } from "./runner.js";
import type { Slots } from "./slots.js";
import { turnOf } from "./story.js";

/** How often a ledger that cannot be read is tried again, in ms. */
const lookAgainMs = 1_000;
/** How many are given back at once: a ledger that does not answer must not cost its timeout for each of them. */
const givenBackTogether = 50;

/** Recovers what is configured here; the rest stays in the ledger, for another process or another configuration. */
export async function recover(
  context: EngineContext,
  runner: Runner,
  unfinished: readonly UnfinishedJob[],
): Promise<void> {
  const others: UnfinishedJob[] = [];
  const isStopped = context.scopes.poll.aborted;
  for (const found of unfinished) {
    const config = configOf(context.pollers, found.lease.key);
    if (config && !isStopped) runner.resume(found, config);
    else others.push(found);
  }
  for (const { lease } of others) {
    const why = isStopped ? "stopped before it was recovered" : notConfigured(context.pollers, lease.key);
    const message = `${why}; it stays in the ledger`;
    const isOurs = runner.setAside(lease.key, lease.state);
    context.emit({ type: "job-unfinished", key: lease.key, state: lease.state, isOurs, message });
  }
  await giveBack(context, others);
}

async function giveBack(context: EngineContext, jobs: readonly UnfinishedJob[]): Promise<void> {
  const { ledger } = context.deps;
  for (let from = 0; from < jobs.length; from += givenBackTogether) {
    await Promise.all(jobs.slice(from, from + givenBackTogether).map(({ lease }) => ledger.release(lease)));
  }
}

/** Recovers what other replicas leave, as long as the poll scope lasts; nothing to do when the ledger is ours alone. */
export async function recoverOthers(context: EngineContext, runner: Runner, slots: Slots): Promise<void> {
  // While jobs of a poller wait for slots it takes no further ones to work: other replicas may have free slots. Results
  // that are owed need none.
  const isWanted = (job: FoundJob) => {
    const config = configOf(context.pollers, job.key);
    return config !== undefined && !slots.isWaitedFor(pollerKey(config), turnOf(job, config));
  };
  const found = context.deps.ledger.watch?.(isWanted, context.scopes.poll) ?? [];
  for await (const jobs of found) await recover(context, runner, jobs);
}

/** Hears what other replicas were offered of jobs that are only presumed to be ours, as long as results are reported. */
export async function hearOffers(context: EngineContext, runner: Runner): Promise<void> {
  const handed = context.deps.ledger.handedOffers?.(context.scopes.report) ?? [];
  for await (const offers of handed) for (const offer of offers) runner.offered(offer);
}

/** Recovers jobs of action types that are configured again. A shared ledger is watched all the time anyway. */
export async function recoverReturned(context: EngineContext, runner: Runner): Promise<void> {
  const { clock, ledger } = context.deps;
  while (!ledger.watch && !context.scopes.poll.aborted) {
    try {
      const unfinished = await ledger.unfinished();
      const { wanted = [], others = [] } = Object.groupBy(unfinished, ({ lease }) =>
        configOf(context.pollers, lease.key) ? "wanted" : "others",
      );
      await giveBack(context, others);
      return await recover(context, runner, wanted);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      await clock.sleep(lookAgainMs, context.scopes.poll);
    }
  }
}

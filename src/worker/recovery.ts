// Takes up what an earlier process left, or another one of the fleet. Owed outcomes are put, interrupted jobs settled
// or run again, unanswered acknowledges asked again. What must be worked queues for slots like any poller, so new work and
// old share them; a result that is owed waits for nobody's.
import { GatewayError } from "../codepipeline/gateway.js";
import { type Job, jobKeyName } from "../job/job.js";
import { recoveryFor } from "../job/lifecycle.js";
import { failed } from "../job/outcome.js";
import { type FoundJob, LedgerError, type UnfinishedJob } from "../ledger/ledger.js";
import { presumedNonce } from "./acknowledging.js";
import type { Order } from "./events.js";
import { JobInFlight } from "./in-flight.js";
import { keepSecretsOf } from "./job-secrets.js";
import { laneName, laneOf } from "./lane.js";
import type { Parts } from "./parts.js";
import { mayComeRight, patiently } from "./patience.js";
import type { Runner } from "./runner.js";
import type { Slot, Slots } from "./slots.js";

const interrupted =
  "partnerd stopped without warning while it worked this job, so its outcome is unknown; run the action again";

/**
 * Takes up what other processes leave, as long as the poll scope lasts; nothing to do when the ledger is ours alone.
 * `watch` looks after what is being taken up.
 */
export async function recoverOthers(
  parts: Parts,
  runner: Runner,
  slots: Slots,
  watch: (taking: Promise<void>) => unknown,
): Promise<void> {
  // A lane whose slots are all busy holds up no other, and takes no more than it found first: others may have room.
  const waiting = new Set<string>();
  const isWanted = (job: FoundJob) => laneOf(parts.lanes, job.key) !== undefined && !waiting.has(queueOf(parts, job));
  const found = parts.world.ledger.watch?.(isWanted, parts.scopes.poll) ?? [];
  for await (const jobs of found) {
    for (const [queue, some] of Map.groupBy(jobs, (found) => queueOf(parts, foundJob(found)))) {
      waiting.add(queue);
      watch(recover(parts, runner, slots, some).finally(() => waiting.delete(queue)));
    }
  }
}

/** How often a ledger that cannot be read is asked again, in ms. */
const lookAgainMs = 1_000;

/** Takes up what was left of action types that came back; a ledger that others share is looked through all the time. */
export async function recoverReturned(parts: Parts, runner: Runner, slots: Slots): Promise<void> {
  const { clock, ledger } = parts.world;
  while (!ledger.watch && !parts.scopes.poll.aborted) {
    try {
      const unfinished = await ledger.unfinished();
      const { wanted = [], others = [] } = Object.groupBy(unfinished, ({ lease }) =>
        laneOf(parts.lanes, lease.key) ? "wanted" : "others",
      );
      for (const { lease } of others) await ledger.release(lease);
      return await recover(parts, runner, slots, wanted);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      await clock.sleep(lookAgainMs, parts.scopes.poll);
    }
  }
}

/** Takes up every unfinished job. Resolves when each has been set going, or the poll scope ends. */
export async function recover(
  parts: Parts,
  runner: Runner,
  slots: Slots,
  unfinished: readonly UnfinishedJob[],
  order?: Order,
): Promise<void> {
  for (const found of unfinished) runner.waiting.set(jobKeyName(found.lease.key), { found, order });
  // Lane by lane at once: a lane whose slots are all busy must not hold up what is owed by another, nor results that
  // are owed by its own.
  const queues = Map.groupBy(unfinished, (found) => queueOf(parts, foundJob(found)));
  await Promise.all([...queues.values()].map((jobs) => recoverInOrder(parts, runner, slots, jobs)));
}

/** Jobs of one queue wait for each other: those of one lane that must be worked, or those whose results are owed. */
function queueOf(parts: Parts, job: FoundJob): string {
  return `${isWork(parts, job) ? "work" : "owed"} ${laneName(job.key)}`;
}

/** True when a handler or an acknowledge is needed before there is a result. */
function isWork(parts: Parts, { key, state, hasCallback }: FoundJob): boolean {
  const next = recoveryFor(state);
  if (next !== "settle-as-interrupted") return next !== "report-again";
  return hasCallback || laneOf(parts.lanes, key)?.afterCrash === "rerun";
}

function foundJob({ lease, callback }: UnfinishedJob): FoundJob {
  return { key: lease.key, state: lease.state, hasCallback: callback !== undefined };
}

/** A slot for the job, once it may have one; `undefined` when the poll scope ends. */
async function slotFor(parts: Parts, slots: Slots, found: UnfinishedJob): Promise<Slot | undefined> {
  const { poll } = parts.scopes;
  const job = foundJob(found);
  const name = laneName(job.key);
  if (isWork(parts, job)) return (await slots.take(name, 1, poll))?.use();
  const slot = await slots.owe(name, poll);
  // By now the configuration may have it worked again.
  if (!slot || !isWork(parts, job) || (await slot.retake(poll))) return slot;
  slot.free();
  return undefined;
}

async function recoverInOrder(
  parts: Parts,
  runner: Runner,
  slots: Slots,
  unfinished: readonly UnfinishedJob[],
): Promise<void> {
  for (const [at, found] of unfinished.entries()) {
    const { key } = found.lease;
    const isConfigured = laneOf(parts.lanes, key) !== undefined;
    const slot = isConfigured ? await slotFor(parts, slots, found) : undefined;
    // As it is by now: the configuration may have changed while it waited.
    const lane = laneOf(parts.lanes, key);
    if (!lane) {
      slot?.free();
      // Another process may know it.
      await leave(parts, runner, [found], "its action type is no longer configured here; it stays in the ledger");
      continue;
    }
    if (!slot) return leave(parts, runner, unfinished.slice(at), "stopped before it was taken up again");
    const { clock, ledger } = parts.world;
    const polledAtMs = clock.monotonic();
    const flight = new JobInFlight({ lane, lease: found.lease, slot, ledger, emit: parts.emit, polledAtMs });
    flight.isPresumed = found.nonce === presumedNonce;
    parts.emit({ type: "job-recovered", key, state: flight.state, ageMs: clock.now() - found.takenAtMs });
    const name = jobKeyName(key);
    const waited = runner.waiting.get(name);
    runner.waiting.delete(name);
    flight.newerOffer = waited?.newerOffer;
    if (waited?.order) flight.obey(waited.order);
    runner.go(flight, () => takeUp(parts, runner, flight, found));
  }
}

/** So many are given back at once: a ledger that does not answer must not take its time for each. */
const leftTogether = 50;

/** Leaves jobs in the ledger, where CodePipeline's wait for them goes on: a stop must say so. */
async function leave(
  parts: Parts,
  runner: Runner,
  unfinished: readonly UnfinishedJob[],
  message: string,
): Promise<void> {
  const { ledger } = parts.world;
  for (const { lease } of unfinished) {
    const name = jobKeyName(lease.key);
    // Of a ledger that others share, what we cannot work is theirs: we would not even learn that they did.
    const isOurs = laneOf(parts.lanes, lease.key) !== undefined || !ledger.watch;
    parts.emit({ type: "job-left", key: lease.key, state: lease.state, isOurs, message });
    runner.waiting.delete(name);
    if (isOurs) runner.left.set(name, lease.state);
  }
  for (let from = 0; from < unfinished.length; from += leftTogether) {
    await Promise.all(unfinished.slice(from, from + leftTogether).map(({ lease }) => ledger.release(lease)));
  }
}

async function takeUp(parts: Parts, runner: Runner, flight: JobInFlight, found: UnfinishedJob): Promise<void> {
  if (flight.loss) return runner.lose(flight, flight.loss);
  switch (recoveryFor(flight.state)) {
    case "forget":
      return;
    case "report-again":
      if (!found.outcome) throw new Error("bug: a settled job without its outcome in the ledger");
      return runner.pay(flight, found.outcome, true);
    case "acknowledge-again":
      return acknowledgeAgain(parts, runner, flight, found);
    case "settle-as-interrupted":
      return resume(parts, runner, flight, found);
  }
}

async function acknowledgeAgain(
  parts: Parts,
  runner: Runner,
  flight: JobInFlight,
  found: UnfinishedJob,
): Promise<void> {
  const job = await freshDetails(parts, runner, flight, found);
  if (!job) return;
  const forget = keepSecretsOf(parts, flight.lane, job);
  try {
    // By the record, not by the flight: an offer may have made it ours meanwhile, and what stands there is no nonce.
    if (found.nonce === presumedNonce) {
      // Decided by the earlier process, which died before it wrote so.
      await flight.note({ type: "acknowledge-accepted" });
      return await runner.work(flight, job);
    }
    // The nonce that was sent: with a newer one from fresh details the service could not tell us from a stranger.
    const asked = found.nonce === undefined ? job : { ...job, nonce: found.nonce };
    if (!(await runner.claim(flight, asked, true))) return;
    await runner.work(flight, job);
  } finally {
    forget();
  }
}

async function resume(parts: Parts, runner: Runner, flight: JobInFlight, found: UnfinishedJob): Promise<void> {
  if (flight.failure !== undefined) return runner.fail(flight, flight.failure);
  const { clock } = parts.world;
  const isWaiting = found.callback !== undefined;
  if (!isWaiting && flight.lane.afterCrash === "fail") {
    const outcome = failed(interrupted, { type: "SystemUnavailable" });
    return runner.settle(flight, outcome, "interrupted", clock.monotonic());
  }
  // Before its details are asked for, which may take as long as CodePipeline is away: a service that calls back
  // meanwhile is told to come again.
  flight.callback = found.callback;
  const job = await freshDetails(parts, runner, flight, found);
  if (!job) return;
  const forget = keepSecretsOf(parts, flight.lane, job);
  try {
    await runner.work(flight, job, found.callback?.deadlineMs);
  } finally {
    forget();
  }
}

/** Details of a job that may be ours. Only an answer that it is gone lets go of it. */
async function freshDetails(
  parts: Parts,
  runner: Runner,
  flight: JobInFlight,
  found: UnfinishedJob,
): Promise<Job | undefined> {
  const { emit, limits, scopes, world } = parts;
  const gateway = world.gateway(flight.key.region, flight.key.actionType.owner);
  // A job that runs can be failed without its details.
  const ended = flight.state === "running" ? AbortSignal.any([flight.letGo, flight.failing]) : flight.letGo;
  try {
    const fresh = await patiently(
      parts,
      flight,
      {
        policy: { ...limits.retry.acknowledge, maxElapsedMs: Number.POSITIVE_INFINITY },
        signal: scopes.work,
        isWorthIt: mayComeRight,
        parksSlot: () => true,
        alsoEndedBy: ended,
      },
      () => gateway.detailsAgain(flight.key, scopes.work),
    );
    // While it waited others may have had its slot. Only a job whose service has it needs none to listen for the outcome,
    // which may be on its way, and no second time.
    const until = AbortSignal.any([scopes.work, ended]);
    if (!flight.callback && !(await flight.slot.retake(until))) throw until.reason;
    const nonce = fresh.nonce ?? found.nonce;
    if (nonce === undefined) throw new Error("bug: an acknowledged job without its nonce in the ledger");
    return { ...fresh, nonce };
  } catch (error) {
    if (flight.loss) {
      await runner.lose(flight, flight.loss);
      return undefined;
    }
    if (flight.failure !== undefined && flight.state === "running") {
      await runner.fail(flight, flight.failure);
      return undefined;
    }
    if (scopes.work.aborted) {
      const message = "stopped before its details came";
      emit({ type: "job-left", key: flight.key, state: flight.state, isOurs: true, message });
      return undefined;
    }
    if (!(error instanceof GatewayError)) throw error;
    const reason = error.kind === "gone" ? "gone" : error.kind === "over" ? "over" : "refused";
    await runner.lose(flight, { reason, message: world.mask(error.message) });
    return undefined;
  }
}

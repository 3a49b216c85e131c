// Offers that one replica hands to another. Any replica's poll can bring the offer that tells whether a job is ours, and
// of a large fleet it is seldom the one that has the job. The newest nonce of a job lies in a row beside the job's own.
import type { JobKey, Nonce } from "../../job/job.js";
import { mayWork } from "../../job/lease.js";
import type { Clock } from "../../std/clock.js";
import type { HandedOffer } from "../ledger.js";
import type { FleetJob, FleetJobs } from "./jobs.js";
import { type Item, type JobRow, rowName } from "./rows.js";
import type { RetryingTable } from "./table.js";

export interface HandedOffersOptions {
  readonly table: RetryingTable;
  readonly jobs: FleetJobs;
  readonly clock: Clock;
}

/** Between two looks while a job is in doubt: an offer is good until CodePipeline makes the next. */
const lookMs = 1_000;
/** A nonce is of no use for so long. */
const keptMs = 86_400_000;
/** CodePipeline's limit. */
const nonceMaxChars = 50;

export class HandedOffers {
  readonly #options: HandedOffersOptions;
  /** The nonce that was told last, by the row's name. */
  readonly #told = new Map<string, string>();

  constructor(options: HandedOffersOptions) {
    this.#options = options;
  }

  /** Leaves the nonce for whoever has the job, if it is only presumed to be theirs. Rejects with what the table threw. */
  async leave(row: JobRow, nonce: Nonce, signal: AbortSignal): Promise<void> {
    if (row.record.claim.is !== "presumed") return;
    const { table, clock } = this.#options;
    const expiresAt = { N: String(Math.ceil((clock.now() + keptMs) / 1_000)) };
    const item: Item = { ...offerKey(rowName(row.key)), nonce: { S: nonce }, expiresAt };
    await table.call("PutItem", { Item: item }, signal);
  }

  /**
   * What others left for the jobs that are in doubt here, each nonce once. Rejects with what the table threw, and then it
   * told of none.
   */
  async look(signal: AbortSignal): Promise<readonly HandedOffer[]> {
    const doubtful = this.#options.jobs.all().filter(isInDoubt);
    const names = new Set(doubtful.map(({ name }) => name));
    for (const name of this.#told.keys()) if (!names.has(name)) this.#told.delete(name);
    const reads = await Promise.allSettled(doubtful.map(({ key, name }) => this.#read(key, name, signal)));
    const offers = reads.flatMap((read) => (read.status === "fulfilled" && read.value ? [read.value] : []));
    const failed = reads.find((read) => read.status === "rejected");
    // What was read is told only once, so it must be heard; the next look meets the fault again.
    if (failed && offers.length === 0) throw failed.reason;
    return offers;
  }

  /** Until the next look; none of them costs a call while no job is in doubt. */
  rest(signal: AbortSignal): Promise<void> {
    return this.#options.clock.sleep(lookMs, signal);
  }

  async #read(key: JobKey, name: string, signal: AbortSignal): Promise<HandedOffer | undefined> {
    const { Item: item } = await this.#options.table.call(
      "GetItem",
      { Key: offerKey(name), ConsistentRead: true },
      signal,
    );
    const nonce = item?.["nonce"]?.S;
    if (!nonce || nonce.length > nonceMaxChars || nonce === this.#told.get(name)) return undefined;
    this.#told.set(name, nonce);
    return { key, nonce: nonce as Nonce };
  }
}

/** Ours by all signs, and CodePipeline has not said so. An earlier doubt is settled by the nonce that we used. */
function isInDoubt({ is, told }: FleetJob): boolean {
  return mayWork(is) && told.claim.is === "presumed";
}

function offerKey(name: string): Item {
  return { pk: { S: name }, sk: { S: "offer" } };
}

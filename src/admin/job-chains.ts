// Which jobs belong to one action: a chain of continuations, in order. A fold over the starts and ends of jobs, bounded.
import type { WorkerEvent } from "../engine/events.js";
import { placeName } from "../job/job.js";
import type { StoryLink } from "./job-story.js";

/** Actions whose chains are known, and the last jobs of one. */
const chainsMax = 1_000;
const linksMax = 50;

/** A chain, shared by all who hold it while it grows. */
export type JobChain = { -readonly [K in keyof StoryLink]: StoryLink[K] }[];

/** The chains of the last actions. */
export class JobChains {
  readonly #byAction = new Map<string, JobChain>();

  /** The chain of a job that starts: that of its action, or a new one. */
  started(event: WorkerEvent & { type: "job-started" }): JobChain {
    const { key, isContinuation, pipelineName, actionName, actionExecutionId, atMs } = event;
    const action = JSON.stringify([placeName(key), key.clientId, actionExecutionId ?? [pipelineName, actionName]]);
    const known = this.#byAction.get(action);
    // Without an execution's id, only a continuation says that it is the same.
    const chain = known && (isContinuation || actionExecutionId !== undefined) ? known : [];
    const again = chain.find(({ jobId }) => jobId === key.jobId);
    if (again) again.end = "running";
    else chain.push({ jobId: key.jobId, at: new Date(atMs).toISOString(), end: "running" });
    if (chain.length > linksMax) chain.shift();
    this.#byAction.delete(action);
    this.#byAction.set(action, chain);
    for (const name of this.#byAction.keys()) {
      if (this.#byAction.size <= chainsMax) break;
      this.#byAction.delete(name);
    }
    return chain;
  }
}

/** Notes how a job of the chain ended. */
export function closeLink(
  chain: JobChain,
  jobId: string,
  end: StoryLink["end"],
  percentComplete: number | undefined,
): void {
  const link = chain.find((each) => each.jobId === jobId);
  if (link) Object.assign(link, { end }, percentComplete === undefined ? {} : { percentComplete });
}

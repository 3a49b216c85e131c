// Tells of jobs, whoever knows them: those that the daemon works or worked lately from its stories, ended ones from the
// ledger's history. A ledger that cannot be read hides nothing that the daemon itself knows.

import { endedLink, endedStory } from "../admin/ended-story.js";
import type { Searched, Told } from "../admin/job-pages.js";
import type { JobStories } from "../admin/job-stories.js";
import type { JobStory } from "../admin/job-story.js";
import type { EndedJob, HistorySearch } from "../job/ended.js";
import { type JobKey, jobKeyName } from "../job/job.js";
import { type GivenJob, isThere, jobMeant } from "../job/meant.js";
import { type Ledger, LedgerError } from "../ledger/ledger.js";

/** How long a person waits for a page; a search has shorter limits of its own. */
const searchMaxMs = 10_000;
/** Searches that follow one another to find one id, and jobs of one action. */
const searchesMax = 5;
const chainMax = 50;
/** Enough to say that an id is not unique, and which there are. */
const namedMax = 20;

/** Searches a history, whoever has it. */
export type SearchHistory = (search: HistorySearch, signal: AbortSignal) => ReturnType<NonNullable<Ledger["history"]>>;

export class JobTeller {
  readonly #stories: JobStories;
  readonly #history: SearchHistory;

  constructor(stories: JobStories, ledger: Pick<Ledger, "history">) {
    this.#stories = stories;
    this.#history = async (search, signal) => (await ledger.history?.(search, signal)) ?? { jobs: [] };
  }

  /** One page of the history. Never rejects. */
  async search(search: HistorySearch): Promise<Searched> {
    try {
      return { kind: "found", ...(await this.#history(search, AbortSignal.timeout(searchMaxMs))) };
    } catch (error) {
      if (error instanceof LedgerError) return { kind: "unreadable", message: error.message };
      throw error;
    }
  }

  /** The story of the job that is meant by an id or the beginning of one. */
  async tell(given: GivenJob): Promise<Told> {
    const keys = this.#stories.keys();
    const here = jobMeant(keys, (key) => key, given);
    const isWhole = here.kind === "one" && here.held.jobId === given.jobId;
    if (isWhole) return this.#one(here.held);
    try {
      const ended = await endedJobs(this.#history, given);
      const known = new Map([...keys, ...ended.map(({ key }) => key)].map((key) => [jobKeyName(key), key]));
      const meant = jobMeant([...known.values()], (key) => key, given);
      if (meant.kind !== "one") return meant;
      const told = await this.#one(meant.held);
      if (told.kind === "one") return told;
      const job = ended.find(({ key }) => jobKeyName(key) === jobKeyName(meant.held));
      return job ? { kind: "one", story: await this.#withChain(endedStory(job)) } : { kind: "none" };
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      if (here.kind === "one") return this.#one(here.held);
      return here.kind === "several" ? here : { kind: "unreadable", message: error.message };
    }
  }

  async #one(key: JobKey): Promise<Told> {
    const story = this.#stories.story(key);
    if (!story) return { kind: "none" };
    // The chain of a job that continues another's work may have begun in an earlier process.
    const isWhole = !story.isContinuation || story.chain[0]?.jobId !== story.jobId;
    return { kind: "one", story: isWhole ? story : await this.#withChain(story), key };
  }

  async #withChain(story: JobStory): Promise<JobStory> {
    try {
      return await withChain(this.#history, story);
    } catch (error) {
      if (error instanceof LedgerError) return story;
      throw error;
    }
  }
}

/** Ended jobs whose id is, or begins like, what was given. Rejects with LedgerError. */
export async function endedJobs(history: SearchHistory, given: GivenJob): Promise<readonly EndedJob[]> {
  const { jobId, ...place } = given;
  if (jobId === "") return [];
  const found: EndedJob[] = [];
  let before: string | undefined;
  for (let search = 0; search < searchesMax; search++) {
    const from = before === undefined ? {} : { before };
    const page = await history({ jobId, limit: namedMax, ...from }, AbortSignal.timeout(searchMaxMs));
    found.push(...page.jobs.filter(({ key }) => isThere(key, place)));
    before = page.next;
    if (before === undefined || found.length >= namedMax) break;
    if (found.some(({ key }) => key.jobId === jobId)) break;
  }
  // The newest of an id that ended several times, such as one that was dropped and came again.
  return [...new Map(found.toReversed().map((job) => [jobKeyName(job.key), job])).values()].toReversed();
}

/** The story with the ended jobs of its action in its chain. Rejects with LedgerError. */
export async function withChain(history: SearchHistory, story: JobStory): Promise<JobStory> {
  const { actionExecutionId, isContinuation, outcome } = story;
  const isChained = isContinuation || outcome?.kind === "continued";
  if (actionExecutionId === undefined || !isChained) return story;
  const search = { actionExecutionId, limit: chainMax };
  const { jobs } = await history(search, AbortSignal.timeout(searchMaxMs));
  const links = [...jobs.toReversed().map(endedLink), ...story.chain];
  const chain = [...new Map(links.map((link) => [link.jobId, link])).values()];
  return { ...story, chain: chain.toSorted((a, b) => a.at.localeCompare(b.at)) };
}

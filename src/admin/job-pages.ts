// The console's pages about single jobs: one job's page with its stream, and the history of ended jobs; each as HTML for a
// browser and as JSON for programs. It asks for stories and searches by what it is given, and knows no ledger.
import type { EndedJob, HistoryPage, HistorySearch } from "../job/ended.js";
import { type JobKey, jobKeyName } from "../job/job.js";
import type { GivenJob } from "../job/meant.js";
import type { Clock } from "../std/clock.js";
import { prefersHtml } from "./accept.js";
import { historyEntry } from "./ended-story.js";
import { historyPage } from "./history-page.js";
import { historyQuery, queryMistake, rowsWanted, searchOf } from "./history-query.js";
import type { Html } from "./html.js";
import { isOverStory, jobPage, jobSections, jobTitle, nothingPage, severalPage } from "./job-page.js";
import type { JobStory } from "./job-story.js";
import { jobStyle } from "./job-style.js";
import { pagePolicy } from "./page-frame.js";
import type { AdminPage, AdminPageRoute, AdminStream, Asked, StoryAnswer } from "./routes.js";
import { Streams } from "./streams.js";

/** What is known of a job that was named. */
export type Told =
  /** `key`: its story is kept here, and the job still runs. */
  | { readonly kind: "one"; readonly story: JobStory; readonly key?: JobKey }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly message: string; readonly keys: readonly JobKey[] }
  | { readonly kind: "unreadable"; readonly message: string };

/** A page of the history, or why there is none. */
export type Searched =
  | ({ readonly kind: "found" } & HistoryPage)
  | { readonly kind: "unreadable"; readonly message: string };

const searchedStatus = { found: 200, mistaken: 400, unreadable: 503 } as const;

export interface JobPagesOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly tell: (job: GivenJob) => Promise<Told>;
  /** The story of a job that is kept here, as it stands, by the one string that names it (`jobKeyName`). */
  readonly story: (name: string) => JobStory | undefined;
  readonly search: (search: HistorySearch) => Promise<Searched>;
  /** Puts a body into the frame of all pages. */
  readonly frame: (page: FramedPage) => string;
  /** What an operator may do with a job that is not over. */
  readonly actions?: (story: JobStory) => Html;
  readonly onFault: (error: unknown) => void;
}

export interface FramedPage {
  readonly title: string;
  readonly body: Html;
  /** The path of the navigation's link that it belongs to. */
  readonly here: string;
  readonly stream?: string;
  readonly refreshS?: number;
}

/** Every how many seconds a browser without scripts loads the page of a job anew that is not over. */
const refreshS = 10;
/** The name of the history's page in the navigation. */
export const historyLink = { path: "/history", name: "History" };

export class JobPages {
  readonly #options: JobPagesOptions;
  readonly #streams: Streams;

  constructor(options: JobPagesOptions) {
    const { clock, version, onFault } = options;
    this.#options = options;
    const sectionsFor = (channel: string) => this.#sections(channel);
    this.#streams = new Streams({ clock, version, onFault, look: () => ({ atMs: clock.now(), sectionsFor }) });
  }

  /** Pages by path. */
  get pages(): Readonly<Record<string, AdminPageRoute>> {
    return {
      "/history": { isGuarded: true, page: (asked) => this.#history(asked) },
      "/job.css": { isGuarded: true, page: () => ({ contentType: "text/css; charset=utf-8", text: jobStyle }) },
    };
  }

  /** The stream of one job's page by its path. */
  get streams(): Readonly<Record<string, AdminStream>> {
    const streams = this.#streams;
    return {
      "/job-events": {
        get hasRoom() {
          return streams.hasRoom;
        },
        open: (response, { query }) => streams.open(response, query.get("job") ?? ""),
      },
    };
  }

  /** Tells open pages that this is the end. */
  close(): void {
    this.#streams.close();
  }

  /** `GET /jobs/ID`: a page for a browser, JSON for all others. */
  async story(given: GivenJob, { headers }: Asked): Promise<StoryAnswer> {
    const told = await this.#options.tell(given);
    if (!prefersHtml(headers.accept)) return told.kind === "one" ? { kind: "one", story: told.story } : told;
    return { kind: "page", page: this.#page(given, told) };
  }

  #page(given: GivenJob, told: Told): AdminPage {
    const { clock, actions } = this.#options;
    switch (told.kind) {
      case "one": {
        const { story, key } = told;
        const isOver = isOverStory(story);
        const moment = { nowMs: clock.now(), isLive: false };
        const body = jobPage(story, { moment, actions: isOver ? undefined : actions?.(story) });
        const live =
          key && !isOver ? { stream: `/job-events?${new URLSearchParams({ job: jobKeyName(key) })}`, refreshS } : {};
        return this.#framed({ title: jobTitle(story), body, ...live });
      }
      case "several":
        return this.#framed({ title: "Several jobs", body: severalPage(given.jobId, told.keys) }, 409);
      case "none": {
        const why = "It is neither at work here nor among the ended jobs that the ledger remembers.";
        return this.#framed({ title: "Unknown job", body: nothingPage(given.jobId, why) }, 404);
      }
      case "unreadable":
        return this.#framed({ title: "Unknown job", body: nothingPage(given.jobId, told.message) }, 503);
    }
  }

  /** The live parts of one job. Forms stay as they are, since somebody may write in them, until there is nothing to do. */
  #sections(name: string): ReadonlyMap<string, () => string> {
    const story = this.#options.story(name);
    if (!story) return new Map();
    const parts = new Map(jobSections(story, { nowMs: this.#options.clock.now(), isLive: true }));
    if (isOverStory(story)) parts.set("actions", () => "");
    // Of a chain that began in an earlier process only the ledger knows the beginning.
    if (story.isContinuation && story.chain[0]?.jobId === story.jobId) parts.delete("chain");
    return parts;
  }

  async #history({ headers, query }: Asked): Promise<AdminPage> {
    const { clock, search } = this.#options;
    const wanted = historyQuery(query);
    const mistake = queryMistake(query);
    const searched =
      mistake === undefined
        ? await search(searchOf(wanted, rowsWanted(query)))
        : ({ kind: "mistaken", message: mistake } as const);
    const entries = searched.kind === "found" ? searched.jobs.map((job: EndedJob) => historyEntry(job)) : [];
    const isFound = searched.kind === "found";
    const status = searchedStatus[searched.kind];
    if (!prefersHtml(headers.accept)) {
      const body = isFound
        ? { jobs: entries, ...(searched.next ? { next: searched.next } : {}) }
        : { error: searched.message };
      return { contentType: "application/json; charset=utf-8", text: `${JSON.stringify(body)}\n`, status };
    }
    const view = isFound ? { next: searched.next } : { problem: searched.message };
    const body = historyPage({ query: wanted, entries, ...view }, { nowMs: clock.now(), isLive: false });
    return this.#framed({ title: "Ended jobs", body, here: historyLink.path }, status);
  }

  #framed(page: Omit<FramedPage, "here"> & Partial<FramedPage>, status = 200): AdminPage {
    return {
      contentType: "text/html; charset=utf-8",
      text: this.#options.frame({ here: "", ...page }),
      contentSecurityPolicy: pagePolicy,
      status,
    };
  }
}

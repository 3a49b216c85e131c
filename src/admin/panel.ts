// What the admin port shows of a running worker besides the probes: metrics, the status page with its stream, and the
// stories of jobs. A reader of events and of the parts' calls; the daemon hands it the present and knows nothing of what becomes of it.

import type { PollerName, WorkerEvent } from "../engine/events.js";
import type { Clock } from "../std/clock.js";
import { pageForms } from "./actions-controls.js";
import { FleetPanel } from "./fleet-panel.js";
import type { FleetWatchOptions } from "./fleet-watch.js";
import type { LedgerState } from "./health.js";
import { History } from "./history.js";
import type { Html } from "./html.js";
import { type FramedPage, historyLink } from "./job-pages.js";
import { JobStories } from "./job-stories.js";
import { Metrics } from "./metrics.js";
import { type PageView, pageText, sectionsOf } from "./page.js";
import { pageIcon, pageStyle } from "./page-assets.js";
import { filterFrom, queryOf } from "./page-filter.js";
import { type FrameLink, framed, pagePolicy } from "./page-frame.js";
import { pageScript } from "./page-script.js";
import type { AdminPageRoute, AdminStream } from "./routes.js";
import { Saturation } from "./saturation.js";
import { Streams } from "./streams.js";
import type { AdminStatus } from "./view.js";

export interface PanelOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The ledger's store. */
  readonly store: string;
  readonly pollers: readonly PollerName[];
  /** The present. */
  readonly look: () => { readonly status: AdminStatus; readonly ledger: LedgerState };
  readonly onFault: (error: unknown) => void;
  /** Some jobs of the fleet. Absent: the ledger is shared with nobody. */
  readonly fleetJobs?: FleetWatchOptions["read"] | undefined;
  /** Masks what events do not mask. */
  readonly mask: (text: string) => string;
}

/** The pages of the console, as its navigation lists them. */
const links: readonly FrameLink[] = [{ path: "/", name: "Overview" }, historyLink, { path: "/fleet", name: "Fleet" }];

/** Reads what happens and makes the pages of it. */
export class Panel {
  readonly metrics: Metrics;
  readonly stories: JobStories;
  readonly #options: PanelOptions;
  readonly #history = new History();
  readonly #saturation = new Saturation();
  readonly #streams: Streams;
  readonly #fleet: FleetPanel;

  constructor(options: PanelOptions) {
    const { clock, version, onFault } = options;
    this.#options = options;
    this.metrics = new Metrics(options);
    this.stories = new JobStories(options);
    const look = () => {
      const view = this.#view();
      const sectionsFor = (query: string) => sectionsOf(view, filterFrom(new URLSearchParams(query)), true);
      return { atMs: view.status.atMs, sectionsFor };
    };
    this.#streams = new Streams({ clock, version, onFault, look });
    const { fleetJobs: jobs, look: present, store } = options;
    this.#fleet = new FleetPanel({ clock, version, onFault, store, jobs, links, status: () => present().status });
  }

  /** Pages by path. */
  get pages(): Readonly<Record<string, AdminPageRoute>> {
    // The same in every partnerd, and needed by who has yet to sign in.
    const asset = (contentType: string, text: string): AdminPageRoute => ({
      isGuarded: false,
      page: () => ({ contentType: `${contentType}; charset=utf-8`, text }),
    });
    return {
      "/": {
        isGuarded: true,
        page: ({ query }) => ({
          contentType: "text/html; charset=utf-8",
          text: pageText(this.#view(), filterFrom(query), { version: this.#options.version, links }),
          contentSecurityPolicy: pagePolicy,
        }),
      },
      "/fleet": { isGuarded: true, page: ({ query }) => this.#fleet.page(query) },
      "/page.css": asset("text/css", pageStyle),
      "/page.js": asset("text/javascript", pageScript),
      "/page.svg": asset("image/svg+xml", pageIcon),
      "/metrics": { isGuarded: false, page: ({ headers }) => this.metrics.exposition(headers.accept) },
    };
  }

  /** The page's stream by its path. */
  get streams(): Readonly<Record<string, AdminStream>> {
    const streams = this.#streams;
    return {
      "/events": {
        get hasRoom() {
          return streams.hasRoom;
        },
        open: (response, { query }) => streams.open(response, queryOf(filterFrom(query))),
      },
      "/fleet/events": this.#fleet.stream,
    };
  }

  /** A page of the console around a body. */
  frame(title: string, body: Html): string {
    return this.framed({ title, body, here: "" });
  }

  /** A page in the frame of all pages. */
  framed(page: FramedPage): string {
    const { version } = this.#options;
    const { atMs, startedAtMs } = this.#view().status;
    return framed({ ...page, version, atMs, startedAtMs, links });
  }

  observe(event: WorkerEvent): void {
    this.metrics.observe(event);
    this.#history.observe(event);
  }

  /** Tells open pages that this is the end; the pages keep answering until the port is closed. */
  close(): void {
    this.#streams.close();
    this.#fleet.close();
    this.metrics.close();
  }

  #view(): PageView {
    const { status, ledger } = this.#options.look();
    const full = this.#saturation.look(status);
    return { status, ledger, full, history: this.#history.view(status.atMs), forms: pageForms };
  }
}

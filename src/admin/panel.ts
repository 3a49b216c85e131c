// What the admin port shows of a running worker besides the probes: metrics, the status page with its stream, and the
// stories of jobs. A reader of events and of the parts' calls; the daemon hands it the present and knows nothing of what becomes of it.

import type { PollerName, WorkerEvent } from "../engine/events.js";
import type { Clock } from "../std/clock.js";
import type { LedgerState } from "./health.js";
import { History } from "./history.js";
import { JobStories } from "./job-stories.js";
import { Metrics } from "./metrics.js";
import { type PageView, pageText, sectionsOf } from "./page.js";
import { pageIcon, pageStyle } from "./page-assets.js";
import { filterFrom, queryOf } from "./page-filter.js";
import { type FrameLink, pagePolicy } from "./page-frame.js";
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
  /** Masks what events do not mask. */
  readonly mask: (text: string) => string;
}

/** The pages of the console, as its navigation lists them. */
const links: readonly FrameLink[] = [{ path: "/", name: "Overview" }];

/** Reads what happens and makes the pages of it. */
export class Panel {
  readonly metrics: Metrics;
  readonly stories: JobStories;
  readonly #options: PanelOptions;
  readonly #history = new History();
  readonly #saturation = new Saturation();
  readonly #streams: Streams;

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
  }

  /** Pages by path. */
  get pages(): Readonly<Record<string, AdminPageRoute>> {
    const asset = (contentType: string, text: string): AdminPageRoute => ({
      isGuarded: true,
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
    };
  }

  observe(event: WorkerEvent): void {
    this.metrics.observe(event);
    this.#history.observe(event);
  }

  /** Tells open pages that this is the end; the pages keep answering until the port is closed. */
  close(): void {
    this.#streams.close();
    this.metrics.close();
  }

  #view(): PageView {
    const { status, ledger } = this.#options.look();
    const full = this.#saturation.look(status);
    return { status, ledger, full, history: this.#history.view(status.atMs) };
  }
}

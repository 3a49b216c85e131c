// The fleet's page and its stream on the admin port.
import type { Clock } from "../std/clock.js";
import type { AdminPage } from "./answers.js";
import { type FleetView, fleetBody, fleetSections } from "./fleet-page.js";
import { type FleetJobs, FleetWatch, type FleetWatchOptions, fromOf } from "./fleet-watch.js";
import { type FrameLink, framed, pagePolicy } from "./page-frame.js";
import type { AdminStream } from "./routes.js";
import { Streams } from "./streams.js";
import type { AdminStatus } from "./view.js";

export interface FleetPanelOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly store: string;
  readonly links: readonly FrameLink[];
  readonly status: () => AdminStatus;
  readonly jobs?: FleetWatchOptions["read"] | undefined;
  readonly onFault: (error: unknown) => void;
}

/** Without a script the page is loaded anew so often. */
const refreshS = 10;

export class FleetPanel {
  readonly #options: FleetPanelOptions;
  readonly #watch: FleetWatch;
  readonly #streams: Streams;

  constructor(options: FleetPanelOptions) {
    const { clock, version, onFault, jobs: read, status } = options;
    this.#options = options;
    this.#watch = new FleetWatch({ clock, read: read ?? (async () => ({ jobs: [], count: 0, isCut: false })) });
    this.#streams = new Streams({
      clock,
      version,
      onFault,
      look: () => {
        const now = status();
        const sectionsFor = (from: string) => fleetSections(this.#view(now, this.#watch.known(Number(from))), true);
        return { atMs: now.atMs, sectionsFor };
      },
    });
  }

  async page(query: URLSearchParams): Promise<AdminPage> {
    const { version, links, status } = this.#options;
    const from = fromOf(query);
    const isShared = status().fleet !== undefined;
    const jobs = isShared ? await this.#watch.fresh(from) : { from, jobs: [], count: 0, isCut: false };
    const now = status();
    const frame = { title: "Fleet", version, links, here: "/fleet", atMs: now.atMs, startedAtMs: now.startedAtMs };
    const live = isShared ? { stream: `/fleet/events?from=${from}` } : {};
    const text = framed({ ...frame, ...live, refreshS, body: fleetBody(this.#view(now, jobs)) });
    return { contentType: "text/html; charset=utf-8", text, contentSecurityPolicy: pagePolicy };
  }

  get stream(): AdminStream {
    const streams = this.#streams;
    return {
      get hasRoom() {
        return streams.hasRoom;
      },
      open: (response, { query }) => streams.open(response, String(fromOf(query))),
    };
  }

  close(): void {
    this.#streams.close();
  }

  #view(status: AdminStatus, jobs: FleetJobs): FleetView {
    return { status, store: this.#options.store, jobs };
  }
}

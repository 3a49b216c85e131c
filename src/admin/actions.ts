// What an operator does on the console: carries it out job by job, remembers for a while what came of it, and tells the
// log who did what. The routes proved the caller before (actions-routes.ts).
import { randomBytes } from "node:crypto";
import type { OrderAnswer } from "../engine/events.js";
import type { GivenJob } from "../job/meant.js";
import type { Order } from "../job/order.js";
import type { Clock } from "../std/clock.js";
import { describeError } from "../std/errors.js";
import { type ActionForm, type ActionName, jobName, type NamedJob } from "./actions-form.js";
import type { Who } from "./who.js";

/** What actions do, by injected functions. */
export interface ActionTargets {
  readonly pause: () => void;
  readonly resume: () => void;
  readonly wake: () => void;
  /** Carries out what an operator decides about one job. */
  readonly order: (job: GivenJob, order: Order) => Promise<OrderAnswer>;
  /** Absent: this daemon shares its ledger with nobody. Reject with what an operator has to read. */
  readonly fleet?: {
    readonly pause: (by: string) => Promise<void>;
    readonly resume: (by: string) => Promise<void>;
  };
}

/** One action, as the log is told of it. */
export interface ActionDone extends Who {
  readonly action: ActionName;
  /** The first jobs it was for. */
  readonly jobs: readonly string[];
  readonly done: number;
  readonly refused: number;
}

/** What came of one job, or of the daemon. */
export interface Part {
  /** Absent: the daemon, or the fleet. */
  readonly job?: NamedJob;
  readonly isDone: boolean;
  readonly text: string;
}

export interface ActionResult {
  readonly action: ActionName;
  readonly atMs: number;
  readonly back: string;
  readonly parts: readonly Part[];
}

/** Orders that are not begun by then are refused: a browser waits for no longer. */
const limitMs = 20_000;
/** Results that are remembered, and for how long: until somebody has read them. */
const resultsMax = 50;
const resultKeptMs = 15 * 60_000;
/** Jobs that one line of the log names. */
const namedMax = 20;

export class Actions {
  readonly #targets: ActionTargets;
  readonly #clock: Clock;
  readonly #onAction: (action: ActionDone) => void;
  readonly #results = new Map<string, ActionResult & { readonly doneMs: number }>();

  constructor(targets: ActionTargets, clock: Clock, onAction: (action: ActionDone) => void = () => {}) {
    this.#targets = targets;
    this.#clock = clock;
    this.#onAction = onAction;
  }

  get hasFleet(): boolean {
    return this.#targets.fleet !== undefined;
  }

  /** Carries it out; the name under which its result is found for a while. Rejects only for a bug. */
  async act(form: ActionForm, who: Who): Promise<string> {
    const { action, back } = form;
    const isForJobs = action === "fail" || action === "release";
    const parts = isForJobs ? await this.#order(form) : [await this.#control(action, who)];
    const done = parts.filter(({ isDone }) => isDone).length;
    const jobs = form.jobs.slice(0, namedMax).map(jobName);
    this.#onAction({ ...who, action, jobs, done, refused: parts.length - done });
    const id = randomBytes(16).toString("base64url");
    const doneMs = this.#clock.monotonic();
    this.#results.set(id, { action, back, parts, atMs: this.#clock.now(), doneMs });
    for (const [oldest, result] of this.#results) {
      if (this.#results.size <= resultsMax && doneMs - result.doneMs < resultKeptMs) break;
      this.#results.delete(oldest);
    }
    return id;
  }

  /** What came of an action; `undefined`: it is too long ago, or never was. */
  result(id: string): ActionResult | undefined {
    return this.#results.get(id);
  }

  /** One after the other: while a ledger's jobs are looked through for one, another order would not find its own. */
  async #order({ action, jobs, message, type }: ActionForm): Promise<readonly Part[]> {
    const order: Order = action === "fail" ? { kind: "fail", message, type } : { kind: "release" };
    const startedMs = this.#clock.monotonic();
    const parts: Part[] = [];
    for (const job of jobs) {
      if (this.#clock.monotonic() - startedMs >= limitMs) {
        parts.push({ job, isDone: false, text: "not tried: the others took too long; try it again" });
        continue;
      }
      const answer = await this.#targets.order(job, order);
      parts.push({ job, isDone: answer.kind === "taken", text: answer.message });
    }
    return parts;
  }

  async #control(action: Exclude<ActionName, "fail" | "release">, who: Who): Promise<Part> {
    const { pause, resume, wake, fleet } = this.#targets;
    const by = who.user ?? `the console (${who.from})`;
    switch (action) {
      case "pause":
        pause();
        return { isDone: true, text: "paused: this daemon accepts no job until resume; running jobs continue" };
      case "resume":
        resume();
        return { isDone: true, text: "resumed: this daemon accepts jobs again" };
      case "wake":
        wake();
        return { isDone: true, text: "woken: every action type is polled now" };
      case "fleet-pause":
      case "fleet-resume": {
        if (!fleet) return { isDone: false, text: "this daemon shares its ledger with no other" };
        const isPause = action === "fleet-pause";
        const failure = await (isPause ? fleet.pause(by) : fleet.resume(by)).then(() => undefined, describeError);
        if (failure !== undefined) return { isDone: false, text: failure };
        const text = isPause
          ? "the fleet is paused: each replica stops accepting jobs within seconds; running jobs continue"
          : "the fleet is resumed: each replica accepts jobs again within seconds";
        return { isDone: true, text };
      }
    }
  }
}

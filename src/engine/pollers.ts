// Every polling loop of the worker, one for each lane, and how they change when the configuration does: a loop that is
// no longer wanted ends after the poll that is under way, so that no job it is offered is lost.
import { actionTypeName } from "../job/job.js";
import type { Parts } from "./context.js";
import type { PollerLoop } from "./poller.js";
import { type Budget, Poller } from "./poller.js";
import { type LaneConfig, laneName } from "./poller-config.js";
import type { Runner } from "./runner.js";
import type { Slots } from "./slots.js";

export interface PollersOptions {
  readonly parts: Parts;
  readonly slots: Slots;
  readonly runner: Runner;
  /** Looks after a loop; resolves when it ends. */
  readonly watch: (loop: Promise<void>) => Promise<void>;
}

/** How pollers poll: without end, or in one pass. */
export interface Pass {
  readonly budget: Budget;
  /** Of a single pass; absent: polls until stopped. */
  readonly idleEndMs?: number;
}

/** What became of the pollers. */
export interface PollersChange {
  readonly added: readonly LaneConfig[];
  readonly removed: readonly LaneConfig[];
  /** Resolves when every poll that began before has been answered and its jobs are going. */
  readonly ended: Promise<unknown>;
}

interface Running {
  readonly lane: LaneConfig;
  readonly poller: Poller;
  readonly ended: Promise<void>;
}

export class Pollers {
  readonly #options: PollersOptions;
  #lanes: ReadonlyMap<string, LaneConfig>;
  readonly #running = new Map<string, Running>();
  #pass: Pass | undefined;
  readonly #madeMs: number;

  constructor(options: PollersOptions) {
    this.#options = options;
    this.#lanes = options.parts.lanes;
    this.#madeMs = options.parts.world.clock.monotonic();
    for (const lane of this.#lanes.values()) this.#open(lane);
  }

  /** What each loop does now, in the order of the configuration. */
  get loops(): readonly PollerLoop[] {
    const overdueMs = this.#options.parts.world.clock.monotonic() - this.#madeMs;
    return [...this.#lanes].map(([name, { region, actionType }]) => ({
      region,
      actionType: actionTypeName(actionType),
      ...(this.#running.get(name)?.poller.step ?? { doing: "starting", overdueMs }),
    }));
  }

  /** Ends every rest. */
  wake(): void {
    for (const { poller } of this.#running.values()) poller.wake();
  }

  begin(pass: Pass): void {
    this.#pass = pass;
    for (const lane of this.#lanes.values()) this.#start(lane);
  }

  /** Goes over to the lanes that the parts have now; with `isNewPace` every poller begins anew. */
  apply(isNewPace: boolean): PollersChange {
    const { parts, slots } = this.#options;
    const [before, after] = [this.#lanes, parts.lanes];
    this.#lanes = after;
    const ending = [...this.#running].filter(
      ([name, { lane }]) => isNewPace || JSON.stringify(lane) !== JSON.stringify(after.get(name)),
    );
    for (const [name, { poller }] of ending) {
      poller.end();
      this.#running.delete(name);
    }
    const removed = [...before].filter(([name]) => !after.has(name)).map(([, lane]) => lane);
    for (const lane of removed) {
      slots.close(laneName(lane));
      parts.breakers.forget(lane);
    }
    for (const lane of after.values()) {
      this.#open(lane);
      this.#start(lane);
    }
    return {
      removed,
      added: [...after].filter(([name]) => !before.has(name)).map(([, lane]) => lane),
      ended: Promise.all(ending.map(([, { ended }]) => ended)),
    };
  }

  #open(lane: LaneConfig): void {
    this.#options.slots.open({ name: laneName(lane), group: lane.group }, lane.maxConcurrentJobs);
  }

  /** Starts the lane's poller, unless it polls already, or nothing polls yet or any more. */
  #start(lane: LaneConfig): void {
    const { watch, ...rest } = this.#options;
    const name = laneName(lane);
    if (!this.#pass || this.#running.has(name) || rest.parts.scopes.poll.aborted) return;
    const poller = new Poller({ ...rest, ...this.#pass, lane });
    this.#running.set(name, { lane, poller, ended: watch(poller.run()) });
  }
}

// Every polling loop of the worker, one for each poller, and how they change when the configuration does: a loop that is
// no longer wanted ends after the poll that is under way, so that no job it is offered is lost.
import { actionTypeName, placeName, typeKey } from "../job/job.js";
import type { EngineContext } from "./context.js";
import type { PollerLoop } from "./poller.js";
import { type Budget, Poller } from "./poller.js";
import { type PollerConfig, pollerKey, pollerNameOf } from "./poller-config.js";
import type { Runner } from "./runner.js";
import type { Slots } from "./slots.js";

export interface PollersOptions {
  readonly context: EngineContext;
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
  readonly added: readonly PollerConfig[];
  readonly removed: readonly PollerConfig[];
  /** Resolves when every poll that began before has been answered and its jobs are going. */
  readonly ended: Promise<unknown>;
}

interface Running {
  readonly config: PollerConfig;
  readonly poller: Poller;
  readonly ended: Promise<void>;
}

export class Pollers {
  readonly #options: PollersOptions;
  #pollers: ReadonlyMap<string, PollerConfig>;
  readonly #running = new Map<string, Running>();
  #pass: Pass | undefined;
  readonly #madeMs: number;

  constructor(options: PollersOptions) {
    this.#options = options;
    this.#pollers = options.context.pollers;
    options.runner.onTurn = (name) => this.#running.get(name)?.poller.turnCame();
    this.#madeMs = options.context.deps.clock.monotonic();
    for (const config of this.#pollers.values()) this.#open(config);
  }

  /** What each loop does now, in the order of the configuration. */
  get loops(): readonly PollerLoop[] {
    const overdueMs = this.#options.context.deps.clock.monotonic() - this.#madeMs;
    return [...this.#pollers].map(([name, config]) => ({
      ...pollerNameOf(config),
      actionType: actionTypeName(config.actionType),
      ...(this.#running.get(name)?.poller.step ?? { doing: "starting", overdueMs }),
    }));
  }

  /** Ends every rest. */
  wake(): void {
    for (const { poller } of this.#running.values()) poller.wake();
  }

  begin(pass: Pass): void {
    this.#pass = pass;
    for (const config of this.#pollers.values()) this.#start(config);
  }

  /** Switches to the pollers that the parts have now; with `isNewPace` every poller restarts. */
  apply(isNewPace: boolean): PollersChange {
    const { context, slots } = this.#options;
    const [before, after] = [this.#pollers, context.pollers];
    this.#pollers = after;
    const isOther = (name: string, config: PollerConfig) => JSON.stringify(config) !== JSON.stringify(after.get(name));
    const ending = [...this.#running].filter(([name, { config }]) => isNewPace || isOther(name, config));
    for (const [name, { poller, config, ended }] of ending) {
      poller.end();
      if (isOther(name, config)) context.turns.forget(config);
      this.#running.delete(name);
      void ended.then(() => this.#forgetRemoved(config));
    }
    const removed = [...before].filter(([name]) => !after.has(name)).map(([, config]) => config);
    const types = new Set([...after.values()].map(typeKey));
    for (const config of removed) {
      slots.close(pollerKey(config));
      context.breakers.forget(pollerNameOf(config), types.has(typeKey(config)) ? "others-stay" : "last-of-type");
    }
    const places = new Set([...after.values()].map(placeName));
    for (const config of removed) if (!places.has(placeName(config))) context.budgets.forget(config);
    for (const config of after.values()) {
      this.#open(config);
      this.#start(config);
    }
    return {
      removed,
      added: [...after].filter(([name]) => !before.has(name)).map(([, config]) => config),
      ended: Promise.all(ending.map(([, { ended }]) => ended)),
    };
  }

  /** Of what its last poll brought, nothing will have its turn; unless it was configured again meanwhile. */
  #forgetRemoved(config: PollerConfig): void {
    if (!this.#pollers.has(pollerKey(config))) this.#options.context.turns.forget(config);
  }

  #open(config: PollerConfig): void {
    const { group, weight, maxConcurrentJobs } = config;
    this.#options.slots.open({ name: pollerKey(config), group, weight }, maxConcurrentJobs);
  }

  /** Starts the poller, unless it polls already, or nothing polls yet or any more. */
  #start(config: PollerConfig): void {
    const { watch, ...rest } = this.#options;
    const name = pollerKey(config);
    if (!this.#pass || this.#running.has(name) || rest.context.scopes.poll.aborted) return;
    const poller = new Poller({ ...rest, ...this.#pass, config });
    this.#running.set(name, { config, poller, ended: watch(poller.run()) });
  }
}

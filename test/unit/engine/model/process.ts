// One process of the engine's model: a whole worker over the model's service and store. Its crash drops all that it has
// in memory: its timers never fire, its calls are never answered, its handlers are gone.
import type { ArtifactStore } from "../../../../src/artifacts/artifacts.js";
import type { EngineLimits } from "../../../../src/engine/deps.js";
import { Worker, type WorkerEnd } from "../../../../src/engine/engine.js";
import type { WorkerEvent } from "../../../../src/engine/events.js";
import type { PollerConfig } from "../../../../src/engine/poller-config.js";
import type { HandlerCall, JobHandler } from "../../../../src/handlers/handler.js";
import type { ActionOwner, Region } from "../../../../src/job/job.js";
import { isOwed } from "../../../../src/job/lifecycle.js";
import { succeeded } from "../../../../src/job/outcome.js";
import { WorkerFault } from "../../../../src/job/worker-fault.js";
import type { Clock } from "../../../../src/std/clock.js";
import { ordinaryLimits } from "../../../support/engine-limits.js";
import type { FakeClock } from "../../../support/fake-clock.js";
import { noArtifacts } from "../../../support/no-artifacts.js";
import { noLog } from "../../../support/no-log.js";
import { actionTypes, type Caller, type ModelService, never } from "./service.js";
import { ModelLedger, type ModelStore } from "./store.js";

export const limits: EngineLimits = {
  ...ordinaryLimits,
  maxConcurrentJobs: 2,
  polling: { minIntervalMs: 1_000, maxIntervalMs: 30_000 },
};
const both: readonly ActionOwner[] = ["ThirdParty", "Custom"];
/** A handler that is told to stop ends within this. */
export const stoppedMs = 100;

/** What the entries of the configuration say of customers, and of handlers that fail. */
export interface Entry {
  readonly serialBy?: "client" | "configuration.Project" | undefined;
  readonly maxConcurrentJobsPerClient?: number | undefined;
  readonly hasBreaker: boolean;
  /** Custom jobs are polled for by two pollers of one entry, one for each customer's project. */
  readonly hasQueries?: boolean | undefined;
}

/** What a reload makes of the configuration. */
export type Configured =
  | "as it was"
  | "ThirdParty alone"
  | "Custom alone"
  | "none"
  | "one project"
  | "one slot"
  | "other pace";

/** How the handler is: it works, it can do no job, or the machine lacks what it needs to begin. */
export type HandlerMood = "well" | "broken" | "short";

export interface ProcessOptions {
  readonly clock: FakeClock;
  readonly service: ModelService;
  readonly store: ModelStore;
  readonly afterCrash: "fail" | "rerun";
  readonly writeMs: number;
  readonly hasRoom: () => boolean;
  readonly mood: () => HandlerMood;
  readonly entry: Entry;
  readonly configured: Configured;
  /** Two jobs of one customer may be at work although one at a time is asked for: both were ours before. */
  readonly mayOverlap: () => boolean;
  /** Handlers that run now, in all processes, and how often each job's began. */
  readonly running: Map<string, ModelProcess>;
  readonly runs: Map<string, number>;
  readonly onCrash: () => void;
}

export class ModelProcess implements Caller {
  readonly worker: Worker;
  readonly ledger: ModelLedger;
  readonly bugs: string[] = [];
  isAlive = true;
  isPaused = false;
  /** The process dies at the next write of its ledger. */
  crashAtWrite: "before" | "after" | undefined;
  #end: WorkerEnd | undefined;
  readonly #options: ProcessOptions;
  readonly #timers = new Set<() => void>();

  constructor(options: ProcessOptions) {
    this.#options = options;
    const { service, store } = options;
    const clock = this.#clock();
    this.ledger = new ModelLedger({
      store,
      clock,
      isAlive: () => this.isAlive,
      writeMs: options.writeMs,
      onWrite: (when) => {
        if (this.crashAtWrite !== when) return false;
        this.crash();
        return true;
      },
    });
    const gateway = service.gatewayFor(this);
    const handler: JobHandler = {
      kind: "module",
      description: "of the model",
      saysBegun: true,
      run: async (call) => {
        const { runs } = options;
        const mood = options.mood();
        if (mood !== "well") {
          throw new WorkerFault(mood === "broken" ? "handler" : "machine", mood, { code: "EMFILE" });
        }
        call.start?.begun();
        const { jobId } = call.job.key;
        if (this.isAlive) runs.set(jobId, (runs.get(jobId) ?? 0) + 1);
        if (service.jobs.get(jobId)?.isCalledBack) await call.awaitCallback({ tokenHash: "00" });
        return this.#work(call);
      },
      resume: (call) => this.#work(call),
      close: async () => {},
    };
    const artifacts: ArtifactStore = {
      ...noArtifacts,
      room: () => (options.hasRoom() ? { isEnough: true } : { isEnough: false, reason: "full" }),
    };
    this.worker = new Worker({
      deps: {
        gateway: () => gateway,
        handlers: { get: () => handler, close: async () => {} },
        ledger: this.ledger,
        artifacts,
        clock,
        random: () => 0.5,
        keepSecrets: () => () => {},
        mask: (text) => text,
        jobLog: () => noLog,
      },
      ...this.#configured(options.configured),
      observe: (event) => this.#observe(event),
    });
  }

  get isClosed(): boolean {
    return this.isPaused || this.worker.isStopping || !this.#options.store.isWritable || !this.#options.hasRoom();
  }

  get hasPeers(): boolean {
    return this.#options.store.isShared;
  }

  get end(): WorkerEnd | undefined {
    return this.#end;
  }

  start(): void {
    this.worker.start().catch((error: unknown) => void this.bugs.push(String(error)));
    void this.worker.ended.then((end) => {
      this.#end = end;
    });
  }

  /** Reads its configuration again. */
  reload(to: Configured): void {
    if (!this.isAlive || this.worker.isStopping) return;
    this.worker.apply(this.#configured(to)).catch((error: unknown) => void this.bugs.push(String(error)));
  }

  #configured(to: Configured): { readonly pollers: readonly PollerConfig[]; readonly limits: EngineLimits } {
    const { entry, afterCrash } = this.#options;
    const { hasBreaker, hasQueries, ...fairness } = entry;
    const owners: readonly ActionOwner[] =
      to === "none" ? [] : to === "ThirdParty alone" ? ["ThirdParty"] : to === "Custom alone" ? ["Custom"] : both;
    const projects = to === "one project" ? ["a"] : ["a", "b"];
    const queries = projects.map((Project) => ({ queryParam: { Project } }));
    const asked = owners.flatMap((owner) =>
      hasQueries && owner === "Custom" ? queries.map((query) => ({ owner, query })) : [{ owner, query: {} }],
    );
    const pollers = asked.map(({ owner, query }) => ({
      region: "us-east-1" as Region,
      actionType: actionTypes[owner],
      group: owner,
      handler: "any",
      maxConcurrentJobs: to === "one slot" ? 1 : 2,
      jobTimeoutMs: 300_000,
      afterCrash,
      secretProperties: [],
      ...fairness,
      ...query,
    }));
    return {
      pollers,
      limits: {
        ...limits,
        maxConcurrentJobs: to === "one slot" ? 1 : limits.maxConcurrentJobs,
        polling: to === "other pace" ? { minIntervalMs: 500, maxIntervalMs: 20_000 } : limits.polling,
        ...(hasBreaker ? { handlerBreakers: new Map([["any", { failures: 2, windowMs: 60_000 }]]) } : {}),
      },
    };
  }

  /** All that it has in memory is gone. */
  crash(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    for (const cancel of this.#timers) cancel();
    for (const [job, by] of this.#options.running) if (by === this) this.#options.running.delete(job);
    this.#options.store.free(({ by }) => by === this.ledger);
    this.#options.onCrash();
  }

  /** It ended in order, and the process with it. */
  exit(): void {
    this.crash();
  }

  #observe(event: WorkerEvent): void {
    if (event.type === "bug") this.bugs.push(`${event.message}\n${event.stack}`);
    if (event.type !== "job-dropped" || event.reason === "released" || event.reason === "taken-over") return;
    const { jobId } = event.key;
    const job = this.#options.service.jobs.get(jobId);
    if (job?.state === "in-progress") this.bugs.push(`${jobId} is given up (${event.reason}) while it is ours`);
    if (job && job.accepted.length > 0 && isOwed(event.from) && this.#options.store.isComplete) {
      this.bugs.push(`the result of ${jobId} was taken, and yet it is given up (${event.reason})`);
    }
  }

  async #work({ job, signal }: HandlerCall): Promise<unknown> {
    if (!this.isAlive) return never();
    const { running, service } = this.#options;
    const { jobId } = job.key;
    if (running.has(jobId)) service.violations.push(`two handlers run ${jobId} at once`);
    const { client } = service.jobs.get(jobId) ?? {};
    const isOwn = (id: string) => service.jobs.get(id)?.key.actionType.owner === job.key.actionType.owner;
    const together =
      [...running.keys()].filter((id) => isOwn(id) && service.jobs.get(id)?.client === client).length + 1;
    const { serialBy, maxConcurrentJobsPerClient: cap = Number.POSITIVE_INFINITY } = this.#options.entry;
    if (!this.#options.mayOverlap() && together > (serialBy ? 1 : cap))
      service.violations.push(`${together} jobs of ${client} run at once`);
    running.set(jobId, this);
    await this.#clock().sleep(service.jobs.get(jobId)?.handlerMs ?? 0, signal);
    if (signal.aborted) await this.#clock().sleep(stoppedMs);
    running.delete(jobId);
    return succeeded();
  }

  /** The model's time, as long as the process lives. */
  #clock(): Clock {
    const { clock } = this.#options;
    const after = (ms: number, callback: () => void) => {
      if (!this.isAlive) return () => {};
      const end = clock.after(ms, () => {
        this.#timers.delete(cancel);
        callback();
      });
      const cancel = () => {
        this.#timers.delete(cancel);
        end();
      };
      this.#timers.add(cancel);
      return cancel;
    };
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted || ms <= 0) return resolve();
          const done = () => {
            cancel();
            signal?.removeEventListener("abort", done);
            resolve();
          };
          const cancel = after(ms, done);
          signal?.addEventListener("abort", done, { once: true });
        }),
    };
  }
}

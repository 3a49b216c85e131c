// The engine's model as a whole: a service, a store, one process or two, and what a run may do to them. After a run all
// faults end, time goes on, and what is left then is what the test judges.
import { FakeClock } from "../../../support/fake-clock.js";
import { type Configured, type Entry, type HandlerMood, limits, ModelProcess } from "./process.js";
import { type Fault, ModelService, type Operation, type Reading, redeliveryMs, type ServedJob } from "./service.js";
import { ModelStore } from "./store.js";

export interface Setting {
  readonly reading: Reading;
  readonly afterCrash: "fail" | "rerun";
  /** Two replicas share the ledger. */
  readonly isFleet: boolean;
  /** How long the ledger takes for a write. */
  readonly writeMs: number;
  readonly jobs: readonly ServedJob[];
  readonly entry: Entry;
}

/** `who`: 0 or 1, the replica it happens to; a process alone is meant by both. */
export type Step =
  | { readonly do: "fault"; readonly operation: Operation; readonly fault: Fault; readonly times: number }
  | { readonly do: "heal" | "offer-again" | "end-all" | "ledger-fails" | "ledger-works" | "disk-full" | "disk-free" }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "crash" | "pause" | "resume" | "stop" | "take-over"; readonly who: number }
  | { readonly do: "reload"; readonly who: number; readonly to: Configured }
  | { readonly do: "handler"; readonly is: HandlerMood }
  | { readonly do: "clock-steps"; readonly ms: number }
  | { readonly do: "wake"; readonly who: number }
  | { readonly do: "crash-at-write"; readonly who: number; readonly when: "before" | "after" }
  | { readonly do: "order"; readonly kind: "fail" | "release"; readonly job: number };

/** From the end of a lease on until others may have the job: handlers have stopped by then. */
const graceMs = limits.shutdown.cancelGraceMs + 3_000;

export class ModelWorld {
  readonly clock = new FakeClock();
  readonly service: ModelService;
  readonly store: ModelStore;
  readonly processes: ModelProcess[] = [];
  readonly runs = new Map<string, number>();
  readonly released = new Set<string>();
  /** What happened that may change what becomes of a job that its handler did well. */
  readonly disturbed = new Set<"fault" | "crash" | "order" | "end" | "ledger">();
  readonly bugs: string[] = [];
  readonly #running = new Map<string, ModelProcess>();
  readonly #afterCrash: Setting["afterCrash"];
  readonly #writeMs: number;
  readonly #entry: Entry;
  #hasRoom = true;
  #mood: HandlerMood = "well";
  /** What the file says that every process reads as it starts. */
  #configured: Configured = "as it was";

  constructor({ reading, afterCrash, isFleet, writeMs, jobs, entry }: Setting) {
    this.#entry = entry;
    this.service = new ModelService(this.clock, reading);
    this.store = new ModelStore(isFleet);
    this.#afterCrash = afterCrash;
    this.#writeMs = writeMs;
    for (const job of jobs) this.service.add(job);
    for (let replica = 0; replica < (isFleet ? 2 : 1); replica++) this.processes.push(this.#begin());
  }

  async step(step: Step): Promise<void> {
    await this.#do(step);
    await this.clock.advance(10);
    this.#restart();
  }

  /** No fault any more; ends when every job is over, or after an hour. */
  async quiet(): Promise<void> {
    this.service.heal();
    this.#ledgerWorks();
    this.#hasRoom = true;
    this.#mood = "well";
    this.#restart();
    this.#configured = "as it was";
    for (const each of this.processes) {
      each.crashAtWrite = undefined;
      each.reload("as it was");
      this.#resume(each);
    }
    for (let waitedMs = 0; waitedMs < 3_600_000 && !this.isDone; waitedMs += redeliveryMs) {
      await this.clock.advance(redeliveryMs);
      this.#restart();
    }
  }

  /** Every process ends in order. */
  async stop(): Promise<void> {
    const ending = this.processes.map((each) => each.worker.stop());
    await this.clock.advance(120_000);
    await Promise.all(ending);
    for (const each of this.processes) this.bugs.push(...each.bugs);
  }

  /** Every job is over, or released, and nobody works on one. */
  get isDone(): boolean {
    const jobs = [...this.service.jobs.values()];
    const areOver = jobs.every(({ key, state }) => state === "over" || this.released.has(key.jobId));
    return areOver && this.store.rows.size === 0 && this.processes.every(({ worker }) => worker.inFlight === 0);
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case "fault":
        if (step.fault === "rejected") this.disturbed.add("fault");
        return this.service.fault(step.operation, step.fault, step.times);
      case "heal":
        return this.service.heal();
      case "offer-again":
        this.service.offerAgain();
        for (const { worker } of this.processes) worker.wake();
        return;
      case "end-all":
        this.disturbed.add("end");
        return this.service.endAll();
      case "ledger-fails":
        this.disturbed.add("ledger");
        this.store.isWritable = false;
        this.store.isComplete = false;
        return;
      case "ledger-works":
        return this.#ledgerWorks();
      case "disk-full":
        this.#hasRoom = false;
        return;
      case "disk-free":
        this.#hasRoom = true;
        return;
      case "wait":
        return this.clock.advance(step.ms);
      case "clock-steps":
        return this.clock.step(step.ms);
      case "handler":
        this.#mood = step.is;
        if (step.is !== "well") this.disturbed.add("fault");
        return;
      case "order":
        return this.#order(step.kind, step.job);
      default:
        return this.#doTo(this.processes[step.who % this.processes.length], step);
    }
  }

  async #doTo(process: ModelProcess | undefined, step: Step & { readonly who: number }): Promise<void> {
    if (!process) throw new Error("the model has no such process");
    switch (step.do) {
      case "crash":
        return process.crash();
      case "crash-at-write":
        process.crashAtWrite = step.when;
        return;
      case "reload":
        this.#configured = step.to;
        return process.reload(step.to);
      case "wake":
        return process.worker.wake();
      case "pause":
        process.worker.pause();
        process.isPaused = true;
        return;
      case "resume":
        return this.#resume(process);
      case "stop":
        this.disturbed.add("crash");
        void process.worker.stop();
        return this.clock.advance(60_000);
      case "take-over": {
        if (!this.store.isShared) return;
        this.disturbed.add("crash");
        this.#mayBeOurs();
        const free = process.ledger.loseAll();
        await this.clock.advance(graceMs);
        return free();
      }
    }
  }

  async #order(kind: "fail" | "release", index: number): Promise<void> {
    const job = [...this.service.jobs.values()][index % this.service.jobs.size];
    if (!job) return;
    this.disturbed.add("order");
    const { jobId } = job.key;
    const order = kind === "fail" ? { kind, message: "by hand" } : { kind };
    for (const process of this.processes) {
      if (!process.isAlive) continue;
      void process.worker.order({ jobId }, order).then((answer) => {
        if (answer.kind === "taken" && kind === "release") this.released.add(jobId);
      });
    }
  }

  #resume(process: ModelProcess): void {
    process.worker.resume();
    process.isPaused = false;
  }

  #ledgerWorks(): void {
    this.store.isWritable = true;
    for (const { ledger } of this.processes) ledger.rewrite();
  }

  /** Whoever died, or ended, is followed by another process. */
  #restart(): void {
    for (const [index, process] of this.processes.entries()) {
      if (process.isAlive && !process.end) continue;
      process.exit();
      this.bugs.push(...process.bugs);
      // Without its ledger no daemon starts.
      if (this.store.isWritable) this.processes[index] = this.#begin();
    }
  }

  #begin(): ModelProcess {
    const process = new ModelProcess({
      clock: this.clock,
      service: this.service,
      store: this.store,
      afterCrash: this.#afterCrash,
      writeMs: this.#writeMs,
      hasRoom: () => this.#hasRoom,
      mood: () => this.#mood,
      entry: this.#entry,
      configured: this.#configured,
      mayOverlap: () => this.disturbed.has("crash") || this.disturbed.has("order") || this.store.isShared,
      running: this.#running,
      runs: this.runs,
      onCrash: () => {
        this.disturbed.add("crash");
        this.#mayBeOurs();
      },
    });
    process.start();
    return process;
  }

  /** What the next process finds asked for it asks for again, whatever the last one was answered. */
  #mayBeOurs(): void {
    for (const { key } of this.store.owed) {
      const job = this.service.jobs.get(key.jobId);
      if (job) job.mayBeOurs = true;
    }
  }
}

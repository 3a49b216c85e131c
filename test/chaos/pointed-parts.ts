// A daemon's real parts with fault points around every ledger write, every API call, every edge of a handler, every
// delivery and each transaction in the ledger's thread. The start of every handler is written to the journal.
import { syncBuiltinESMExports } from "node:module";
import workerThreads, { type WorkerOptions } from "node:worker_threads";
import type { JobGateway } from "../../src/codepipeline/gateway.js";
import type { HandlerRegistry, JobHandler } from "../../src/handlers/handler.js";
import type { JobKey } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import type { Lease, Ledger } from "../../src/ledger/ledger.js";
import type { FaultPoints, FaultPointsOptions } from "./fault-points.js";
import type { Journal } from "./journal.js";

export class PointedLedger implements Ledger {
  readonly #ledger: Ledger;
  readonly #points: FaultPoints;
  /** Looking is no point; what it finds is taken up through the others. */
  readonly watch?: NonNullable<Ledger["watch"]>;

  constructor(ledger: Ledger, points: FaultPoints) {
    const watch = ledger.watch?.bind(ledger);
    if (watch) this.watch = watch;
    this.#ledger = ledger;
    this.#points = points;
  }

  get isDurable(): boolean {
    return this.#ledger.isDurable;
  }

  lease(key: JobKey): Promise<Lease | undefined> {
    return this.#points.around("lease", () => this.#ledger.lease(key));
  }

  record(lease: Lease, event: JobEvent): Promise<void> {
    return this.#points.around(`record ${event.type}`, () => this.#ledger.record(lease, event));
  }

  release(lease: Lease): Promise<void> {
    return this.#points.around("release", () => this.#ledger.release(lease));
  }

  unfinished() {
    return this.#points.around("unfinished", () => this.#ledger.unfinished());
  }

  health() {
    return this.#ledger.health();
  }

  close(): Promise<void> {
    return this.#ledger.close();
  }
}

export function pointedGateway(gateway: JobGateway, points: FaultPoints): JobGateway {
  return {
    poll: (...asked) => points.around("poll", () => gateway.poll(...asked)),
    details: (...asked) => points.around("details", () => gateway.details(...asked)),
    detailsAgain: (...asked) => points.around("details again", () => gateway.detailsAgain(...asked)),
    acknowledge: (...asked) => points.around("acknowledge", () => gateway.acknowledge(...asked)),
    put: (...asked) => points.around("put", () => gateway.put(...asked)),
  };
}

export function pointedHandlers(handlers: HandlerRegistry, points: FaultPoints, journal: Journal): HandlerRegistry {
  const wrap = (handler: JobHandler): JobHandler => {
    const resume = handler.resume?.bind(handler);
    return {
      kind: handler.kind,
      description: handler.description,
      run: (call) => {
        points.pass("before the handler's start is known");
        const { jobId } = call.job.key;
        return points.around("handler", () => journal.call("handler", { jobId }, () => handler.run(call)));
      },
      ...(resume && {
        resume: (call, callback) => points.around("handler that goes on waiting", () => resume(call, callback)),
      }),
      close: () => handler.close(),
    };
  };
  return {
    get(name) {
      const handler = handlers.get(name);
      return handler && wrap(handler);
    },
    close: () => handlers.close(),
  };
}

/** From now on the ledger's thread counts as well. The sources start it as ever; only its first file is another. */
export function pointedSqliteThread(points: FaultPointsOptions): void {
  const Plain = workerThreads.Worker;
  workerThreads.Worker = class extends Plain {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      const isLedger = String(file).endsWith("/src/ledger/sqlite/sqlite-worker.ts");
      if (!isLedger) super(file, options);
      else {
        const workerData = { ...(options.workerData as object), points };
        super(new URL("./pointed-sqlite-worker.ts", import.meta.url), { ...options, workerData });
      }
    }
  };
  syncBuiltinESMExports();
}

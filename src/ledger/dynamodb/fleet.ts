// The fleet as a replica of it sees it and acts on it: who is alive, whether all are paused, every job whoever has it, and
// jobs that nobody works on. What it knows of replicas and pause comes from looks that are made anyway.
import type { FleetJobPage, FleetPause, ReplicaNote, SeenFleet } from "../../job/fleet.js";
import type { JobEvent, JobState } from "../../job/lifecycle.js";
import { LedgerError, type SharedFleet } from "../ledger.js";
import type { FleetPauses } from "./fleet-pause.js";
import type { FleetOperator } from "./operator.js";
import type { Replicas } from "./replicas.js";
import type { RetryingTable } from "./table.js";

export interface FleetOptions {
  readonly table: RetryingTable;
  readonly replicas: Replicas;
  readonly pauses: FleetPauses;
  readonly operator: FleetOperator;
  /** Aborts when the ledger is closed. */
  readonly closing: AbortSignal;
}

export class Fleet implements SharedFleet {
  readonly #options: FleetOptions;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  get pause(): FleetPause | undefined {
    return this.#options.pauses.now;
  }

  seen(): SeenFleet {
    const { replicas } = this.#options;
    const { lookAgeMs: ageMs } = replicas;
    const { pause } = this;
    return {
      ...(ageMs === undefined ? {} : { ageMs }),
      ...(pause === undefined ? {} : { pause }),
      replicas: replicas.seen(),
    };
  }

  describe(note: () => ReplicaNote): void {
    this.#options.replicas.describe(note);
  }

  async pauseAll(by: string): Promise<void> {
    const { pauses, table, closing } = this.#options;
    await pauses.pause(by, closing).catch((error: unknown) => {
      throw table.fault(error, "unwritable");
    });
  }

  async resumeAll(): Promise<void> {
    const { pauses, table, closing } = this.#options;
    await pauses.resume(closing).catch((error: unknown) => {
      throw table.fault(error, "unwritable");
    });
  }

  jobs(range: { readonly from: number; readonly max: number }): Promise<FleetJobPage> {
    return this.#options.operator.some(range, this.#options.closing);
  }

  end(key: Parameters<SharedFleet["end"]>[0], eventsFor: (state: JobState) => readonly JobEvent[]): Promise<void> {
    const { operator, closing } = this.#options;
    if (closing.aborted) throw new LedgerError("unwritable", "the ledger is closed");
    return operator.end(key, ({ record }) => eventsFor(record.state), closing);
  }
}

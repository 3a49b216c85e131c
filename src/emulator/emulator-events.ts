// What happened in the emulator, as typed events, so that tests wait on facts and never on time.
// A listener's throw never reaches the API: it goes to the process as an uncaught error, where a test sees it.
import type { JobStatus } from "./emulated-job.js";

/** One call of the job API or of S3 as events and histories tell it; it holds no token, nonce or signature. */
export interface Call {
  /** The x-amzn-RequestId of the answer. */
  readonly id: string;
  /** The operation as asked for, known or not; empty if none was named. */
  readonly operation: string;
  readonly region: string;
  readonly atMs: number;
  readonly jobId?: string;
  readonly clientId?: string;
  /** `owner/category/provider/version`, for the calls that name or concern one. */
  readonly actionType?: string;
  readonly maxBatchSize?: number;
  /** S3 only. */
  readonly bucket?: string;
  readonly key?: string;
  readonly accessKeyId?: string;
  /** Whose call it is, where the emulator has accounts. */
  readonly account?: string;
  readonly userAgent?: string;
  /** The application id that the SDK adds to its user agent as `app/…`. */
  readonly appId?: string;
}

/** Something that a correct worker never does. */
export interface Violation {
  readonly kind: /** AcknowledgeJob or AcknowledgeThirdPartyJob for a job that no poll has offered. */
    | "acknowledge-never-offered"
    /** AcknowledgeThirdPartyJob without GetThirdPartyJobDetails before. */
    | "acknowledge-without-details"
    /** Details asked for a job that no poll has offered. */
    | "details-never-offered"
    /** A result for a job that nobody acknowledged. */
    | "result-without-acknowledge"
    /** A result that contradicts the one already accepted; a plain repeat is none. */
    | "contradictory-result"
    /** A poll for more jobs than `maxBatchSizeCap`. */
    | "batch-over-cap"
    /** A request that the service model refuses. */
    | "invalid-request";
  readonly atMs: number;
  readonly region: string;
  readonly operation: string;
  readonly callId: string;
  readonly jobId?: string;
  readonly message: string;
}

/** Everything that can be listened to. */
export type EmulatorEvent =
  /** A job is new (`from` absent) or its status changed. */
  | {
      readonly type: "job-changed";
      readonly atMs: number;
      readonly jobId: string;
      readonly region: string;
      readonly actionType: string;
      readonly from?: JobStatus;
      readonly to: JobStatus;
    }
  /** A request was read whole and its operation known, before any rule or fault. */
  | { readonly type: "call-received"; readonly atMs: number; readonly call: Call }
  /** The answer was handed to the network, or cut off. `status` 0: no answer at all. */
  | {
      readonly type: "call-answered";
      readonly atMs: number;
      readonly call: Call;
      readonly status: number;
      /** The error's code; absent for a success. */
      readonly code?: string;
      /** Ids of the faults that shaped the answer. */
      readonly faults: readonly string[];
      /** Ids of the jobs that a poll's answer offers. */
      readonly offered?: readonly string[];
    }
  | { readonly type: "violation"; readonly atMs: number; readonly violation: Violation }
  /** The emulator stopped or began to listen again (fault `refuse-connections`). */
  | {
      readonly type: "listening-changed";
      readonly atMs: number;
      readonly isListening: boolean;
      readonly error?: string;
    };

/** Reads events; must not throw. */
export type Listener = (event: EmulatorEvent) => void;

/** Hands each event to every listener, in order of subscription. */
export class Events {
  readonly #listeners = new Set<Listener>();

  /** The returned function ends the subscription. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: EmulatorEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

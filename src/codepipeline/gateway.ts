// The contract between the engine and CodePipeline: one port for both flavours of the job API.
// Implementations resolve client tokens, check answers and turn every fault into a GatewayError; none retries.
import type { ActionType, Job, JobKey, JobStatus, Nonce, OfferedJob, PolledJob } from "../job/job.js";
import type { Outcome } from "../job/outcome.js";

export interface JobGateway {
  /**
   * PollForThirdPartyJobs or PollForJobs, with `maxBatchSize` = `limit`. `queryParam`: the queryable property of a custom
   * type, if it has one, and its value. Throws GatewayError.
   */
  poll(
    actionType: ActionType,
    limit: number,
    signal: AbortSignal,
    queryParam?: Readonly<Record<string, string>>,
  ): Promise<PollAnswer>;
  /**
   * GetThirdPartyJobDetails; a custom job's details came with the poll, or are fetched by GetJobDetails where the offer
   * waited and only its nonce was kept. Throws GatewayError.
   */
  details(polled: PolledJob, signal: AbortSignal): Promise<OfferedJob>;
  /**
   * Fresh details of a job that may already be ours: GetThirdPartyJobDetails, or GetJobDetails, which knows no
   * nonce. Throws GatewayError.
   */
  detailsAgain(key: JobKey, signal: AbortSignal): Promise<Job & { readonly nonce?: Nonce }>;
  /** AcknowledgeThirdPartyJob or AcknowledgeJob. `undefined`: the answer had no status. Throws GatewayError. */
  acknowledge(key: JobKey, nonce: Nonce, signal: AbortSignal): Promise<JobStatus | string | undefined>;
  /** The four Put…Result operations. Resolves when the result is accepted. Throws GatewayError. */
  put(key: JobKey, outcome: Outcome, signal: AbortSignal): Promise<void>;
}

/** A poll's answer, entry by entry: one that cannot be read never spoils the others. */
export interface PollAnswer {
  readonly jobs: readonly PolledJob[];
  /** One line for each entry that cannot be read. Such a job is offered again. */
  readonly unreadable: readonly string[];
}

/** What kind of fault it was; everything the engine decides follows from this. */
export type GatewayFaultKind =
  /** Told to slow down. */
  | "throttled"
  /** No usable answer: connection, timeout, 5xx, HTML, an answer that cannot be read. */
  | "unavailable"
  /** Our own signal ended the call. */
  | "aborted"
  /** InvalidClientTokenException, or nobody knows a token for this client id. */
  | "token-rejected"
  /** The token source itself failed; the token may be good. */
  | "token-unavailable"
  /** InvalidNonceException. */
  | "not-ours"
  /** JobNotFoundException, InvalidJobException. */
  | "gone"
  /** InvalidJobStateException: the job has ended. */
  | "over"
  /** Credentials: missing, expired, denied, clock skewed. */
  | "denied"
  /** ActionTypeNotFoundException: wrong Region, account, name, or deleted. */
  | "misconfigured"
  /** ValidationException and any other refusal of the request itself. */
  | "rejected";

/** One failed call to CodePipeline. The message names the operation and the job and holds no secret. */
export class GatewayError extends Error {
  readonly kind: GatewayFaultKind;
  /** The operation, such as `AcknowledgeThirdPartyJob`. */
  readonly operation: string;
  /** The service's or the system's own name for it: `ThrottlingException`, `ECONNREFUSED`, … */
  readonly code: string;
  /** What the service asked us to wait, if it did (Retry-After). */
  readonly retryAfterMs: number | undefined;
  /** True when the request may have reached the service: its effect is unknown. */
  readonly isAmbiguous: boolean;

  constructor(fault: {
    kind: GatewayFaultKind;
    operation: string;
    code: string;
    message: string;
    retryAfterMs?: number | undefined;
    isAmbiguous?: boolean;
    cause?: unknown;
  }) {
    super(fault.message, fault.cause === undefined ? undefined : { cause: fault.cause });
    this.name = "GatewayError";
    this.kind = fault.kind;
    this.operation = fault.operation;
    this.code = fault.code;
    this.retryAfterMs = fault.retryAfterMs;
    this.isAmbiguous = fault.isAmbiguous ?? false;
  }
}

/** True for faults that pass by themselves. */
export function isPassing(kind: GatewayFaultKind): boolean {
  return kind === "throttled" || kind === "unavailable" || kind === "denied" || kind === "token-unavailable";
}

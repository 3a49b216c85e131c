// One API call from its bytes to its answer: who asks, which faults strike, is it signed, is it valid, then the deed.
// The order matters: faults come first, as networks do; a refused call changes nothing.
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Clock } from "../std/clock.js";
import type { Accounts } from "./accounts.js";
import type { ApiAnswer } from "./api-answer.js";
import { failure, send, success } from "./api-answer.js";
import { typeKey } from "./emulated-job.js";
import type { Call, Events } from "./emulator-events.js";
import type { Faults, FaultView } from "./injected-faults.js";
import { isApplied, isSpoiler } from "./injected-faults.js";
import type { JobStore } from "./job-store.js";
import { operations, shapes } from "./model.js";
import type { CheckedInput, Operations } from "./operations.js";
import { sabotage } from "./sabotage.js";
import { isRecord, Shapes } from "./shape-checks.js";
import type { Credentials } from "./signature.js";
import { scopeOf, verifySignature } from "./signature.js";
import type { Violations } from "./violations.js";
import { ApiError, operationOf, parseBody, refusal } from "./wire.js";

/** A request to `POST /`, read whole. */
export interface ApiRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

/** The Region of requests that name none. */
export const defaultRegion = "us-east-1";

/** Answers API calls. */
export class Api {
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #faults: Faults;
  readonly #store: JobStore;
  readonly #operations: Operations;
  readonly #violations: Violations;
  readonly #credentials: Credentials | undefined;
  readonly #accounts: Accounts;
  readonly #closing: AbortSignal;
  readonly #model = new Shapes({ shapes, unknownMembers: "ignore" });

  constructor(options: {
    readonly clock: Clock;
    readonly events: Events;
    readonly faults: Faults;
    readonly store: JobStore;
    readonly operations: Operations;
    readonly violations: Violations;
    /** Given: signatures are checked against these; not given: any will do. */
    readonly credentials: Credentials | undefined;
    /** Where there are some, theirs count instead. */
    readonly accounts: Accounts;
    /** Ends waits when the emulator closes. */
    readonly closing: AbortSignal;
  }) {
    this.#clock = options.clock;
    this.#events = options.events;
    this.#faults = options.faults;
    this.#store = options.store;
    this.#operations = options.operations;
    this.#violations = options.violations;
    this.#credentials = options.credentials;
    this.#accounts = options.accounts;
    this.#closing = options.closing;
  }

  /** Answers one call, or lets the faults in force answer it. */
  async handle(request: ApiRequest): Promise<void> {
    const parsed = attempt(() => parseBody(request.body));
    const call = this.#callOf(request, parsed instanceof ApiError ? {} : parsed);
    this.#events.emit({ type: "call-received", atMs: call.atMs, call });
    const faults = this.#faults.strike(call);
    if (faults.length === 0) {
      this.#answer(request, call, this.#perform(request, call, parsed), faults);
      return;
    }
    const spoiler = faults.find(isSpoiler);
    const short = faults.find((fault) => fault.kind === "short-credentials")?.ms;
    await this.#wait(faults, false);
    if (this.#closing.aborted) return;
    const isDone = spoiler === undefined || isApplied(spoiler);
    const answer = isDone ? this.#perform(request, call, parsed, short) : undefined;
    await this.#wait(faults, true);
    if (this.#closing.aborted) return;
    this.#answer(request, call, answer, faults, spoiler);
  }

  #wait(faults: readonly FaultView[], isAfter: boolean): Promise<void> {
    const latencies = faults.filter((fault) => fault.kind === "latency" && isApplied(fault) === isAfter);
    const ms = latencies.reduce((sum, fault) => sum + (fault.ms ?? 0), 0);
    return ms === 0 ? Promise.resolve() : this.#clock.sleep(ms, this.#closing);
  }

  #answer(
    request: ApiRequest,
    call: Call,
    answer: ApiAnswer | undefined,
    faults: readonly FaultView[],
    spoiler?: FaultView,
  ): void {
    const offset = faults.reduce((sum, fault) => sum + (fault.offsetMs ?? 0), 0);
    const nowMs = this.#clock.now() + offset;
    const { response } = request;
    let sent: { readonly status: number; readonly code?: string } = { status: 0 };
    if (spoiler) sent = sabotage({ fault: spoiler, response, callId: call.id, answer, nowMs });
    else if (answer) {
      send(response, answer, nowMs);
      sent = answer;
    }
    const offered = offeredBy(answer);
    this.#events.emit({
      type: "call-answered",
      atMs: this.#clock.now(),
      call,
      status: sent.status,
      ...(sent.code !== undefined && { code: sent.code }),
      faults: faults.map((fault) => fault.id),
      ...(offered && { offered }),
    });
  }

  /** Does the deed; every refusal becomes an answer. */
  #perform(
    request: ApiRequest,
    call: Call,
    parsed: Record<string, unknown> | ApiError,
    credentialsMs?: number,
  ): ApiAnswer {
    try {
      const identity = this.#identityOf(request);
      const operation = operationOf(single(request.headers["x-amz-target"]));
      if (parsed instanceof ApiError) throw parsed;
      const problems = this.#model.check(operations[operation].input, parsed);
      if (problems.length > 0) throw this.#refused(call, refusal(problems));
      return success(
        call.id,
        this.#operations.serve(operation, checked(parsed), { ...call, ...identity }, credentialsMs),
      );
    } catch (error) {
      if (error instanceof ApiError) return failure(call.id, error);
      // A bug of the emulator's: loud, not one more 500 that a client retries away.
      queueMicrotask(() => {
        throw error;
      });
      return failure(
        call.id,
        new ApiError("InternalFailure", "The emulator has a bug; see its output", { status: 500 }),
      );
    }
  }

  /** The account that calls, if there are accounts. Throws ApiError. */
  #identityOf(request: ApiRequest): { readonly account?: string } {
    const nowMs = this.#clock.now();
    if (!this.#accounts.isOn) {
      if (this.#credentials) verifySignature(request, this.#credentials, nowMs);
      return {};
    }
    const scope = scopeOf(request.headers.authorization);
    if (!scope) throw new ApiError("MissingAuthenticationTokenException", "Missing Authentication Token");
    const { account, credentials } = this.#accounts.identityOf(scope.accessKeyId, nowMs);
    verifySignature(request, credentials, nowMs);
    return { account };
  }

  #refused(call: Call, error: ApiError): ApiError {
    this.#violations.record({
      kind: "invalid-request",
      atMs: call.atMs,
      region: call.region,
      operation: call.operation,
      callId: call.id,
      ...(call.jobId !== undefined && { jobId: call.jobId }),
      message: error.message,
    });
    return error;
  }

  #callOf(request: ApiRequest, input: Record<string, unknown>): Call {
    const scope = scopeOf(request.headers.authorization);
    const region = scope && /^[a-z0-9-]{4,30}$/.test(scope.region) ? scope.region : defaultRegion;
    const target = single(request.headers["x-amz-target"]) ?? "";
    const userAgent = single(request.headers["user-agent"])?.slice(0, 512);
    const appId = userAgent && /(?:^| )app\/(\S+)/.exec(userAgent)?.[1];
    const { jobId, maxBatchSize, actionTypeId } = input;
    const job = typeof jobId === "string" ? this.#store.find(region, jobId) : undefined;
    const actionType = job ? typeKey(job.seed.actionType) : typeNamed(actionTypeId);
    return {
      id: randomUUID(),
      operation: target.slice(target.lastIndexOf(".") + 1).slice(0, 100),
      region,
      atMs: this.#clock.now(),
      ...(typeof jobId === "string" && { jobId: jobId.slice(0, 512) }),
      ...(job?.seed.clientId !== undefined && { clientId: job.seed.clientId }),
      ...(actionType !== undefined && { actionType }),
      ...(typeof maxBatchSize === "number" && { maxBatchSize }),
      ...(scope && { accessKeyId: scope.accessKeyId }),
      ...(userAgent !== undefined && { userAgent }),
      ...(appId && { appId }),
    };
  }
}

/** The model has checked the members that its operation reads; null ones count as left out. */
function checked(input: Record<string, unknown>): CheckedInput {
  const given = Object.values(input).includes(null)
    ? Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null))
    : input;
  return given as unknown as CheckedInput;
}

function attempt(parse: () => Record<string, unknown>): Record<string, unknown> | ApiError {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

function typeNamed(id: unknown): string | undefined {
  if (!isRecord(id)) return undefined;
  const parts = [id["owner"], id["category"], id["provider"], id["version"]];
  return parts.every((part) => typeof part === "string") ? parts.join("/").slice(0, 200) : undefined;
}

function offeredBy(answer: ApiAnswer | undefined): readonly string[] | undefined {
  const jobs = answer?.document?.["jobs"];
  if (!Array.isArray(jobs)) return undefined;
  return jobs.map((job: { jobId?: string; id?: string }) => job.jobId ?? job.id ?? "");
}

function single(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

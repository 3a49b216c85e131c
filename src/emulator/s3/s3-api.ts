// One S3 request from its line to its answer: what it asks for, which faults strike, who asks, whether that is allowed,
// then the deed. The same order as for the job API: faults come first, and what is refused changes nothing.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../std/clock.js";
import { typeKey } from "../emulated-job.js";
import type { Call, Events } from "../emulator-events.js";
import type { Settings } from "../emulator-settings.js";
import type { Faults, FaultView } from "../injected-faults.js";
import { isApplied, isSpoiler } from "../injected-faults.js";
import type { JobStore } from "../job-store.js";
import { sabotage } from "../sabotage.js";
import type { Credentials } from "../signature.js";
import { scopeOf } from "../signature.js";
import { authenticate } from "./authentication.js";
import type { Bodies } from "./bodies.js";
import type { Issuer } from "./issuer.js";
import { ObjectOperations } from "./object-operations.js";
import type { Objects } from "./objects.js";
import { checkAccess } from "./permissions.js";
import type { S3Answer, Served } from "./s3-answer.js";
import { s3Failure } from "./s3-answer.js";
import { S3Error } from "./s3-error.js";
import type { S3Operation, S3Request } from "./s3-request.js";
import { header, parameter, s3OperationOf, s3RequestOf } from "./s3-request.js";
import { sendS3 } from "./sending.js";
import { UploadOperations } from "./upload-operations.js";

/** What the S3 side of an emulator works with. */
export interface S3ApiOptions {
  readonly clock: Clock;
  readonly events: Events;
  readonly faults: Faults;
  readonly store: JobStore;
  readonly objects: Objects;
  readonly bodies: Bodies;
  readonly issuer: Issuer;
  readonly settings: () => Settings;
  /** Given: besides the jobs' own credentials only these are let in. */
  readonly credentials: Credentials | undefined;
  /** Ends waits when the emulator closes. */
  readonly closing: AbortSignal;
}

type Serve = (served: Served) => S3Answer | Promise<S3Answer>;
type Sent = { readonly status: number; readonly code?: string | undefined };

/** Answers S3 requests. */
export class S3Api {
  readonly #options: S3ApiOptions;
  readonly #serve: Readonly<Record<S3Operation, Serve>>;

  constructor(options: S3ApiOptions) {
    this.#options = options;
    const objects = new ObjectOperations(options);
    const uploads = new UploadOperations(options);
    this.#serve = {
      GetObject: (served) => objects.get(served),
      HeadObject: (served) => objects.get(served),
      PutObject: (served) => objects.put(served),
      DeleteObject: (served) => objects.delete(served),
      ListObjectsV2: (served) => objects.list(served),
      CreateBucket: (served) => objects.createBucket(served),
      HeadBucket: (served) => objects.headBucket(served),
      ListBuckets: () => objects.listBuckets(),
      GetBucketLocation: (served) => objects.location(served),
      CreateMultipartUpload: (served) => uploads.create(served),
      UploadPart: (served) => uploads.part(served),
      CompleteMultipartUpload: (served) => uploads.complete(served),
      AbortMultipartUpload: (served) => uploads.abort(served),
      ListParts: (served) => uploads.listParts(served),
      ListMultipartUploads: (served) => uploads.listUploads(served),
    };
  }

  /** Answers one request, or lets the faults in force answer it. */
  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, events, faults, closing } = this.#options;
    const asked = attempt(() => s3RequestOf(message));
    const operation = asked instanceof S3Error ? asked : attempt(() => s3OperationOf(asked));
    const call = this.#callOf(message, asked, operation);
    events.emit({ type: "call-received", atMs: call.atMs, call });
    const struck = faults.strike(call);
    const spoiler = struck.find(isSpoiler);
    await this.#wait(struck, false);
    if (closing.aborted) return;
    const isDone = spoiler === undefined || isApplied(spoiler);
    const answer = isDone ? await this.#perform(call, asked, operation) : undefined;
    await this.#wait(struck, true);
    if (closing.aborted) return;
    const nowMs = clock.now() + struck.reduce((sum, fault) => sum + (fault.offsetMs ?? 0), 0);
    const sent = await this.#send(answer, { response, call, spoiler, nowMs });
    // What was not read of a refused upload is let go, so that the next request on the connection can come.
    if (!message.readableEnded) message.resume();
    events.emit({
      type: "call-answered",
      atMs: clock.now(),
      call,
      status: sent.status,
      ...(sent.code !== undefined && { code: sent.code }),
      faults: struck.map((fault) => fault.id),
    });
  }

  #wait(faults: readonly FaultView[], isAfter: boolean): Promise<void> {
    const { clock, closing } = this.#options;
    const latencies = faults.filter((fault) => fault.kind === "latency" && isApplied(fault) === isAfter);
    const ms = latencies.reduce((sum, fault) => sum + (fault.ms ?? 0), 0);
    return ms === 0 ? Promise.resolve() : clock.sleep(ms, closing);
  }

  /** Does the deed; every refusal becomes an answer, and `undefined` tells that the asker is gone. */
  async #perform(
    call: Call,
    request: S3Request | S3Error,
    operation: S3Operation | S3Error,
  ): Promise<S3Answer | undefined> {
    const { clock, closing } = this.#options;
    try {
      if (request instanceof S3Error) throw request;
      if (operation instanceof S3Error) throw operation;
      const nowMs = () => clock.now();
      const authenticated = authenticate(request, { ...this.#options, nowMs: nowMs() });
      checkAccess(request, operation, authenticated, this.#options);
      return await this.#serve[operation]({ request, ...authenticated, nowMs });
    } catch (error) {
      const resource = `/${call.bucket ?? ""}/${call.key ?? ""}`;
      if (error instanceof S3Error) return s3Failure(error, resource, requestIdOf(call));
      const isGone = !(request instanceof S3Error) && request.message.destroyed;
      if (isGone || closing.aborted) return undefined;
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOSPC") {
        const full = new S3Error("InsufficientStorage", {
          message: "The disk under the emulator's temporary folder is full",
        });
        return s3Failure(full, resource, requestIdOf(call));
      }
      // A bug of the emulator's: loud, not one more 500 that a client retries away.
      queueMicrotask(() => {
        throw error;
      });
      const bug = new S3Error("InternalError", { message: "The emulator has a bug; see its output" });
      return s3Failure(bug, resource, requestIdOf(call));
    }
  }

  async #send(
    answer: S3Answer | undefined,
    at: {
      readonly response: ServerResponse;
      readonly call: Call;
      readonly spoiler: FaultView | undefined;
      readonly nowMs: number;
    },
  ): Promise<Sent> {
    const { response, call, spoiler, nowMs } = at;
    const { bodies, clock, closing } = this.#options;
    const sending = { response, bodies, clock, closing, nowMs, requestId: requestIdOf(call) };
    if (spoiler === undefined || spoilsBody.has(spoiler.kind)) {
      if (!answer) return { status: 0 };
      await sendS3(answer, { ...sending, spoiler });
      return answer;
    }
    const refused = refusals[spoiler.kind];
    if (refused === undefined) return sabotage({ fault: spoiler, response, callId: call.id, answer: undefined, nowMs });
    const { code = refused, message, status, retryAfter } = spoiler;
    const error = new S3Error(code, {
      ...(message !== undefined && { message }),
      ...(status !== undefined && { status }),
      ...(retryAfter !== undefined && { headers: { "retry-after": String(retryAfter) } }),
    });
    const failure = s3Failure(error, `/${call.bucket ?? ""}/${call.key ?? ""}`, requestIdOf(call));
    await sendS3(failure, sending);
    return failure;
  }

  #callOf(message: IncomingMessage, request: S3Request | S3Error, operation: S3Operation | S3Error): Call {
    const { clock, issuer, store } = this.#options;
    const isRead = !(request instanceof S3Error);
    const credential = (isRead && parameter(request, "X-Amz-Credential")) || undefined;
    const scope = scopeOf(message.headers.authorization) ?? scopeOf(credential && `AWS4 Credential=${credential}`);
    const token = isRead
      ? (header(request, "x-amz-security-token") ?? parameter(request, "X-Amz-Security-Token"))
      : undefined;
    const grant = token === undefined ? undefined : issuer.read(token);
    const job = grant && store.find(grant.region, grant.jobId);
    const userAgent = message.headers["user-agent"]?.slice(0, 512);
    const appId = userAgent && /(?:^| )app\/(\S+)/.exec(userAgent)?.[1];
    return {
      id: randomUUID(),
      operation: operation instanceof S3Error ? "" : operation,
      region: scope && /^[a-z0-9-]{4,30}$/.test(scope.region) ? scope.region : "us-east-1",
      atMs: clock.now(),
      ...(isRead && request.bucket !== "" && { bucket: request.bucket }),
      ...(isRead && request.key !== "" && { key: request.key }),
      ...(grant && { jobId: grant.jobId }),
      ...(job?.seed.clientId !== undefined && { clientId: job.seed.clientId }),
      ...(job && { actionType: typeKey(job.seed.actionType) }),
      ...(scope && { accessKeyId: scope.accessKeyId.slice(0, 128) }),
      ...(userAgent !== undefined && { userAgent }),
      ...(appId && { appId }),
    };
  }
}

/** The faults that need the answer to spoil it. */
const spoilsBody: ReadonlySet<FaultView["kind"]> = new Set([
  ...(["cut-answer", "slow-body", "stalled-body", "corrupt-body", "short-body"] as const),
]);

/** The faults that are answers of S3's own, and their codes. */
const refusals: Readonly<Partial<Record<FaultView["kind"], string>>> = {
  throttle: "SlowDown",
  "internal-error": "InternalError",
  unavailable: "ServiceUnavailable",
  error: "InternalError",
};

/** S3's request ids are short. */
function requestIdOf(call: Call): string {
  return call.id.replaceAll("-", "").slice(0, 16).toUpperCase();
}

function attempt<Value>(act: () => Value): Value | S3Error {
  try {
    return act();
  } catch (error) {
    if (error instanceof S3Error) return error;
    throw error;
  }
}

// One SDK client per Region: its own retries off, every wait limited, middleware cached, connections shared.
// It knows nothing of jobs; it never gets a logger, since the SDK's logging shows tokens and configuration values.
import { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import type { Region } from "../job/job.js";
import { maskError } from "../std/errors.js";
import type { Proxies } from "../std/proxies.js";
import { type AccountAccess, credentialsOf } from "./account-credentials.js";
import type { GatewayFaultKind } from "./gateway.js";
import { faultNameOf } from "./gateway-faults.js";
import { CallAborted, CallFailed, CallTimeout, HttpCall, Transport } from "./transport.js";

export interface RegionClientOptions {
  readonly region: Region;
  /** Whose credentials; absent: those of the SDK's default credential chain. */
  readonly account?: AccountAccess;
  /** Unset: AWS_ENDPOINT_URL_CODEPIPELINE, AWS_ENDPOINT_URL, the profile, or the Region's own endpoint. */
  readonly endpoint: string | undefined;
  readonly appId: string;
  readonly proxies: Proxies;
  readonly connectionTimeoutMs: number;
  readonly socketTimeoutMs: number;
  /** For one whole call, body included. */
  readonly requestTimeoutMs: number;
  /** Left out: the SDK's default credential chain finds some. */
  readonly credentials?: GivenCredentials | undefined;
  /** For what errors say; left out: they say it as it came. */
  readonly mask?: (text: string) => string;
  /** Told of the service's clock with every answer, ms since the epoch; must not throw. */
  readonly onServerTime?: (serverMs: number) => void;
  /** Told of every call's end; must not throw. */
  readonly onCall?: (call: ApiCall) => void;
}

/** Credentials of AWS. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they end; they are asked for again shortly before. Absent: never. */
  readonly expiration?: Date;
}

/** Credentials, or who gives them: asked at the first call, before they end, and after CodePipeline refused them. */
export type GivenCredentials = AwsCredentials | (() => Promise<AwsCredentials>);

/** One call as it ended: what is counted of it. It holds no id and no text of the answer. */
export interface ApiCall {
  readonly region: Region;
  /** Such as `PollForJobs`. */
  readonly operation: string;
  readonly end: "answered" | GatewayFaultKind;
  /** `ok`, or the service's or the system's name for the fault. */
  readonly code: string;
  readonly durationMs: number;
}

/** Any command of the SDK; what its answer holds is checked by whoever reads it. */
interface Command {
  readonly input: object;
}

/** Credentials are resolved again at most this often: the search may ask the instance, a command or STS. */
const renewalSpacingMs = 2_000;

/** Both stand in the headers of a request. */
const fitsHeader = /^[!-~]+$/;

class UnusableCredentials extends Error {
  constructor() {
    super("the access key id or session token holds white space, a line break or another character no header takes");
    this.name = "UnusableCredentials";
  }
}

/** Sends commands to one Region. Every call ends by its answer, its time limit or its signal. */
export class RegionClient {
  readonly #options: RegionClientOptions;
  readonly #transport: Transport;
  #client: CodePipelineClient;
  #renewedMs = Number.NEGATIVE_INFINITY;
  readonly #callLimitMs: number;
  readonly #calls = new WeakMap<object, HttpCall>();
  readonly #stops = new WeakMap<AbortSignal, Set<HttpCall>>();

  constructor(options: RegionClientOptions) {
    this.#options = options;
    this.#transport = new Transport(options);
    this.#callLimitMs = options.connectionTimeoutMs + options.requestTimeoutMs;
    this.#client = this.#build(0);
  }

  #build(systemClockOffset: number): CodePipelineClient {
    const { region, endpoint, appId, credentials } = this.#options;
    const client = new CodePipelineClient({
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      userAgentAppId: appId,
      ...(credentials === undefined ? {} : { credentials }),
      maxAttempts: 1,
      // A good part of the SDK's cost per call. It works only for calls without options, so the abort goes another way.
      cacheMiddleware: true,
      requestHandler: this.#transport,
      systemClockOffset,
      // The clients that find credentials (STS, SSO) go our way; what they ask of this machine or container goes by none.
      ...credentialsOf(this.#options.account, this.#transport),
    });
    client.middlewareStack.add(
      (next) => (args) => {
        const call = this.#calls.get(args.input);
        if (call) this.#transport.attach((args as unknown as { request: object }).request, call);
        return next(args);
      },
      { step: "deserialize", name: "partnerdCall", priority: "low" },
    );
    return client;
  }

  /**
   * After a refusal: the SDK would keep what it found for as long as it lives, so later calls go through a new client,
   * which resolves credentials again. Connections stay, and so does what was learned of the service's clock.
   */
  #renew(): void {
    const nowMs = performance.now();
    if (nowMs - this.#renewedMs < renewalSpacingMs) return;
    this.#renewedMs = nowMs;
    this.#client = this.#build(this.#client.config.systemClockOffset);
  }

  /**
   * The command's answer. Rejects with CallFailed, whose cause is whatever the SDK threw, its message masked; CallAborted
   * as soon as the signal aborts, or CallTimeout: the request itself is ended in both cases.
   */
  send<Output>(command: Command, signal: AbortSignal): Promise<Output> {
    return new Promise<Output>((resolve, reject) => {
      if (signal.aborted) {
        reject(new CallFailed(new CallAborted(), { at: "unsent" }));
        return;
      }
      const stops = this.#stopsOf(signal);
      const tell = this.#teller(command);
      const call = new HttpCall((error) => {
        const failure = new CallFailed(error, call.reach);
        tell(failure);
        reject(failure);
      });
      // The SDK cannot be interrupted while it resolves credentials, so the limit is here and not in the request.
      const limit = setTimeout(() => {
        stops.delete(call);
        call.end(new CallTimeout(this.#callLimitMs));
      }, this.#callLimitMs);
      stops.add(call);
      const finish = () => {
        clearTimeout(limit);
        stops.delete(call);
      };
      this.#calls.set(command.input, call);
      this.#client.send(command as never).then(
        (output: unknown) => {
          finish();
          tell();
          resolve(output as Output);
        },
        (error: unknown) => {
          finish();
          const failure = new CallFailed(maskError(error, this.#options.mask), call.reach);
          tell(failure);
          if (faultNameOf(failure, operationOf(command)).kind === "denied") this.#renew();
          reject(failure);
        },
      );
    });
  }

  /** Tells of one call's end, once: a call that was ended from here is answered or fails later all the same. */
  #teller(command: Command): (error?: unknown) => void {
    const { region, onCall } = this.#options;
    if (!onCall) return () => {};
    const startedMs = performance.now();
    let isTold = false;
    return (error) => {
      if (isTold) return;
      isTold = true;
      const operation = operationOf(command);
      const { kind, code } =
        error === undefined ? { kind: "answered" as const, code: "ok" } : faultNameOf(error, operation);
      onCall({ region, operation, end: kind, code, durationMs: performance.now() - startedMs });
    };
  }

  /** One listener on a signal, however many calls would end with it: listeners cost more than the rest of this file. */
  #stopsOf(signal: AbortSignal): Set<HttpCall> {
    const known = this.#stops.get(signal);
    if (known) return known;
    const stops = new Set<HttpCall>();
    this.#stops.set(signal, stops);
    signal.addEventListener(
      "abort",
      () => {
        for (const call of stops) call.end(new CallAborted());
        stops.clear();
      },
      { once: true },
    );
    return stops;
  }

  /** Whose credentials are found. Rejects with what the SDK's chain throws, with UnusableCredentials or CallTimeout. */
  async identity(): Promise<{ readonly accessKeyId: string; readonly expiresAtMs?: number }> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#callLimitMs);
    try {
      const limit = new Promise<never>((_, reject) => {
        late.signal.addEventListener("abort", () => reject(new CallTimeout(this.#callLimitMs)), { once: true });
      });
      const {
        accessKeyId,
        sessionToken = "",
        expiration,
      } = await Promise.race([this.#client.config.credentials(), limit]);
      if (!fitsHeader.test(accessKeyId + sessionToken)) throw new UnusableCredentials();
      return { accessKeyId, ...(expiration ? { expiresAtMs: expiration.getTime() } : {}) };
    } catch (error) {
      throw new CallFailed(maskError(error, this.#options.mask), { at: "unsent" });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.#transport.destroy();
  }
}

/** Such as `PollForJobs`. */
function operationOf(command: Command): string {
  return command.constructor.name.replace(/Command$/, "");
}

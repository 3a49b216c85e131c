// One SDK client per Region: its own retries off, every wait limited, middleware cached, connections shared.
// It knows nothing of jobs; it never gets a logger, since the SDK's logging shows tokens and configuration values.
import { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import type { Region } from "../job/job.js";
import { StrangersAnswer } from "../network/aws-answer.js";
import { CredentialsTimeout, isCredentialRefusal } from "../network/credentials/credentials-fault.js";
import type { RenewedCredentials } from "../network/credentials/renewed-credentials.js";
import type { HttpClient } from "../network/http-client.js";
import { maskError } from "../std/errors.js";
import type { Proxies } from "../std/proxies.js";
import { TurnoverSet } from "../std/turnover.js";
import { type AccountAccess, accountCredentials } from "./account-credentials.js";
import type { GatewayFaultKind } from "./gateway.js";
import { faultNameOf } from "./gateway-faults.js";
import { type Asked, PatternCalls } from "./pattern-calls.js";
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
  /** Whose connections it uses, and never closes; left out: its own. */
  readonly http?: HttpClient;
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

/** Credentials are resolved again at most this often: the search may ask the instance, a command or STS. */
const renewalSpacingMs = 2_000;
/** A search for credentials may take as long as so many calls: those that wait for it end before, the next has its fruit. */
const searchCalls = 2;

/** Sends commands to one Region. Every call ends by its answer, its time limit or its signal. */
export class RegionClient {
  readonly #options: RegionClientOptions;
  readonly #transport: Transport;
  readonly #credentials: RenewedCredentials;
  readonly #client: CodePipelineClient;
  readonly #calls: PatternCalls;
  #renewedMs = Number.NEGATIVE_INFINITY;
  readonly #callLimitMs: number;
  readonly #stops = new WeakMap<AbortSignal, TurnoverSet<HttpCall>>();

  constructor(options: RegionClientOptions) {
    this.#options = options;
    this.#transport = new Transport(options);
    this.#callLimitMs = options.connectionTimeoutMs + options.requestTimeoutMs;
    const { account: access, credentials: given } = options;
    this.#credentials = accountCredentials({
      access,
      // The clients that find credentials (STS, SSO) go our way; what they ask of this machine or container goes by none.
      requestHandler: this.#transport,
      ...(given ? { given: async () => (typeof given === "function" ? given() : given) } : {}),
      limitMs: searchCalls * this.#callLimitMs,
    });
    this.#client = this.#build();
    this.#calls = new PatternCalls({ client: this.#client, transport: this.#transport });
  }

  #build(): CodePipelineClient {
    const { region, endpoint, appId } = this.#options;
    return new CodePipelineClient({
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      userAgentAppId: appId,
      credentials: this.#credentials.provider,
      maxAttempts: 1,
      // A good part of the SDK's cost per call. It works only for calls without options, so the abort goes another way.
      cacheMiddleware: true,
      requestHandler: this.#transport,
    });
  }

  /** After a refusal: the credentials that there are may be the reason, so that later calls look for others. */
  #renew(): void {
    const nowMs = performance.now();
    if (nowMs - this.#renewedMs < renewalSpacingMs) return;
    this.#renewedMs = nowMs;
    this.#credentials.forget();
  }

  /**
   * The answer; whoever reads it checks what it holds. Rejects with CallFailed, whose cause is whatever the SDK threw, its
   * message masked; CallAborted as soon as the signal aborts, or CallTimeout: the request itself is ended in both cases.
   */
  send<Output>(asked: Asked, signal: AbortSignal): Promise<Output> {
    return new Promise<Output>((resolve, reject) => {
      if (signal.aborted) {
        reject(new CallFailed(new CallAborted(), { at: "unsent" }));
        return;
      }
      const stops = this.#stopsOf(signal);
      const tell = this.#teller(asked);
      const call = new HttpCall((error) => {
        const failure = new CallFailed(error, call.reach);
        tell(failure);
        reject(failure);
      });
      // The SDK cannot be interrupted while it resolves credentials, so the limit is here and not in the request.
      const limit = setTimeout(() => {
        stops.delete(member);
        call.end(this.#lateness(call));
      }, this.#callLimitMs);
      const member = stops.add(call);
      const finish = () => {
        clearTimeout(limit);
        stops.delete(member);
      };
      const fail = (error: unknown) => {
        const failure = new CallFailed(maskError(error, this.#options.mask), call.reach, this.#noteOn(error));
        tell(failure);
        if (faultNameOf(failure, operationOf(asked)).kind === "denied") this.#renew();
        reject(failure);
      };
      this.#calls.send(asked, call).then(
        (output) => {
          finish();
          const { reach } = call;
          if (reach.at === "answered" && !reach.requestId) return fail(new StrangersAnswer(reach.status));
          tell();
          resolve(output as Output);
        },
        (error: unknown) => {
          finish();
          fail(error);
        },
      );
    });
  }

  /** AWS does not say whose credentials it refuses, and still less where they are from. */
  #noteOn(error: unknown): string | undefined {
    const { by, remedy } = this.#credentials.way;
    return isCredentialRefusal(error) ? `credentials by ${by}; ${remedy}` : undefined;
  }

  /** A call that is not sent yet waits for its credentials. */
  #lateness({ reach }: HttpCall): Error {
    const { way } = this.#credentials;
    return reach.at === "unsent" ? new CredentialsTimeout(way, this.#callLimitMs) : new CallTimeout(this.#callLimitMs);
  }

  /** Tells of one call's end, once: a call that was ended from here is answered or fails later all the same. */
  #teller(asked: Asked): (error?: unknown) => void {
    const { region, onCall } = this.#options;
    if (!onCall) return () => {};
    const startedMs = performance.now();
    let isTold = false;
    return (error) => {
      if (isTold) return;
      isTold = true;
      const operation = operationOf(asked);
      const { kind, code } =
        error === undefined ? { kind: "answered" as const, code: "ok" } : faultNameOf(error, operation);
      onCall({ region, operation, end: kind, code, durationMs: performance.now() - startedMs });
    };
  }

  /** One listener on a signal, however many calls would end with it: listeners cost more than the rest of this file. */
  #stopsOf(signal: AbortSignal): TurnoverSet<HttpCall> {
    const known = this.#stops.get(signal);
    if (known) return known;
    const stops = new TurnoverSet<HttpCall>();
    this.#stops.set(signal, stops);
    signal.addEventListener(
      "abort",
      () => {
        for (const call of stops) call.end(new CallAborted());
      },
      { once: true },
    );
    return stops;
  }

  /** Whose credentials are found. Rejects with CallFailed: its cause is a CredentialsFault, or says that it took too long. */
  async identity(): Promise<{ readonly accessKeyId: string; readonly expiresAtMs?: number }> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#callLimitMs);
    try {
      const limit = new Promise<never>((_, reject) => {
        const tooLong = () => reject(new CredentialsTimeout(this.#credentials.way, this.#callLimitMs));
        late.signal.addEventListener("abort", tooLong, { once: true });
      });
      const { accessKeyId, expiration } = await Promise.race([this.#client.config.credentials(), limit]);
      return { accessKeyId, ...(expiration ? { expiresAtMs: expiration.getTime() } : {}) };
    } catch (error) {
      throw new CallFailed(maskError(error, this.#options.mask), { at: "unsent" });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.#credentials.close();
    this.#transport.destroy();
  }
}

/** Such as `PollForJobs`. */
function operationOf({ Command }: Asked): string {
  return Command.name.replace(/Command$/, "");
}

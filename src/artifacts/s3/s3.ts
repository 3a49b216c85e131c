// S3 for one job: its own credentials and Region, one way to try again, every wait limited. The SDK's retries are off,
// because a try after `ExpiredToken` needs other credentials, and it gets no logger, which would write them down.
import { S3Client } from "@aws-sdk/client-s3";
import type { Region } from "../../job/job.js";
import { SdkHandler } from "../../network/sdk-handler.js";
import type { Clock } from "../../std/clock.js";
import { maskError } from "../../std/errors.js";
import type { Proxies } from "../../std/proxies.js";
import { type RetryPolicyMs, retrying } from "../../std/retry.js";
import { TransferFault, transferFault } from "../faults.js";
import type { HeldAccess, JobAccess } from "./access.js";

export interface S3TransportOptions {
  readonly proxies: Proxies;
  readonly connectionTimeoutMs: number;
  /** Longest silence on a connection. */
  readonly socketTimeoutMs: number;
  /** From the first byte sent to the first byte answered; a part of an upload must fit. */
  readonly requestTimeoutMs: number;
}

/** Jobs follow one another; a connection to the same bucket may be wanted again soon. */
const idleMs = 60_000;

/** The connections of all jobs; credentials are no part of a connection. */
export class S3Transport {
  readonly handler: SdkHandler;

  constructor({ proxies, connectionTimeoutMs, socketTimeoutMs, requestTimeoutMs }: S3TransportOptions) {
    // The slots bound the jobs and each job its transfers, so sockets need no further bound.
    this.handler = new SdkHandler({ proxies, connectionTimeoutMs, socketTimeoutMs, requestTimeoutMs, idleMs });
  }

  close(): void {
    this.handler.destroy();
  }
}

export interface S3CallsOptions {
  readonly transport: S3Transport;
  readonly region: Region;
  /** Another S3, addressed path-style; unset: the Region's own. */
  readonly endpoint: string | undefined;
  readonly appId: string;
  /** For what errors say; left out: they say it as it came. */
  readonly mask?: (text: string) => string;
  readonly access: JobAccess;
  readonly retry: RetryPolicyMs;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A command of the SDK, made again for each attempt with the access that signs it. */
export type MakeCommand<Output> = (held: HeldAccess) => { readonly input: object; readonly output?: Output };

/** Sends commands with the credentials of the moment. */
export class S3Calls {
  readonly #options: S3CallsOptions;
  #client: { readonly of: HeldAccess; readonly client: S3Client } | undefined;

  constructor(options: S3CallsOptions) {
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get access(): JobAccess {
    return this.#options.access;
  }

  /**
   * The command's answer, asked for until patience ends; refused credentials are renewed and tried once more. Throws
   * TransferFault, what the renewal threw, or the signal's reason.
   */
  send<Output>(make: MakeCommand<unknown>, signal: AbortSignal): Promise<Output> {
    return this.withRetries(signal, () => this.once<Output>(make, signal));
  }

  /** Retries temporary failures, by the policy `retry.artifact`. */
  async withRetries<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const { retry, clock, random } = this.#options;
    try {
      return await retrying(
        {
          policy: retry,
          clock,
          random,
          signal,
          shouldRetry: (error) => error instanceof TransferFault && error.kind === "passing",
          retryAfterMs: (error) => (error instanceof TransferFault ? error.retryAfterMs : undefined),
        },
        attempt,
      );
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** One attempt, or two when S3 says that the credentials have ended. */
  async once<Output>(make: MakeCommand<unknown>, signal: AbortSignal): Promise<Output> {
    const { access } = this.#options;
    const held = await orAborted(access.current(), signal);
    try {
      return await this.#attempt<Output>(make, held, signal);
    } catch (error) {
      if (!(error instanceof TransferFault) || error.kind !== "expired") throw error;
      const fresh = await orAborted(access.after(held), signal);
      return this.#attempt<Output>(make, fresh, signal);
    }
  }

  /** A client that signs with this access. */
  clientOf(held: HeldAccess): S3Client {
    if (this.#client?.of === held) return this.#client.client;
    const { accessKeyId, secretAccessKey, sessionToken } = held.access.credentials;
    const { region, endpoint, appId, transport } = this.#options;
    const client = new S3Client({
      region,
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      userAgentAppId: appId,
      maxAttempts: 1,
      // A bucket in another Region than the pipeline's, or an access point there.
      followRegionRedirects: true,
      useArnRegion: true,
      // Uploads bring their own checksum, and downloads ask for one; a pre-signed URL must hold none.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      // undici cannot wait for S3's leave to send a body: what is refused was sent in vain, 16 MiB at most.
      expectContinueHeader: false,
      credentials: {
        accessKeyId: accessKeyId.reveal(),
        secretAccessKey: secretAccessKey.reveal(),
        sessionToken: sessionToken.reveal(),
      },
      requestHandler: transport.handler,
    });
    this.#client = { of: held, client };
    return client;
  }

  async #attempt<Output>(make: MakeCommand<unknown>, held: HeldAccess, signal: AbortSignal): Promise<Output> {
    signal.throwIfAborted();
    // The SDK hangs listeners on the signal that it is given; this one goes with the call.
    const own = new AbortController();
    const follow = () => own.abort(signal.reason);
    signal.addEventListener("abort", follow, { once: true });
    try {
      const options = { abortSignal: own.signal };
      return (await this.clientOf(held).send(make(held) as never, options as never)) as Output;
    } catch (error) {
      signal.throwIfAborted();
      throw transferFault(maskError(error, this.#options.mask));
    } finally {
      signal.removeEventListener("abort", follow);
    }
  }
}

/** The promise's end, or the signal's reason if that comes first. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

// What a workspace may ask of S3 for one job: fetch this, upload that, sign links. Loaded when the first job touches
// an artifact; a daemon whose jobs never do so never loads the SDK's S3 client.
import type { Artifact, ArtifactLocation, Job } from "../../job/job.js";
import type { Clock } from "../../std/clock.js";
import type { RetryPolicyMs } from "../../std/retry.js";
import type { ArtifactLinks } from "../artifacts.js";
import type { JobAccess } from "./access.js";
import { download } from "./download.js";
import { S3Calls, S3Transport, type S3TransportOptions } from "./s3.js";
import { signLinks } from "./signed-links.js";
import { type PartsLeft, upload } from "./upload.js";

/** An artifact that has a place in S3. */
export interface PlacedArtifact extends Artifact {
  readonly location: ArtifactLocation;
}

/** One job's way to S3. All of it throws TransferFault, GoneAccess, JobFailure, or the signal's reason. */
export interface Transfers {
  download(call: {
    readonly artifact: PlacedArtifact;
    readonly to: string;
    readonly signal: AbortSignal;
    readonly onLength: (bytes: number) => Promise<void>;
    readonly onWritten: (bytes: number) => void;
    readonly tailWanted: (first: Buffer) => number;
    readonly onTailWritten: (from: number) => void;
  }): Promise<void>;
  upload(call: {
    readonly artifact: PlacedArtifact;
    readonly file: string;
    readonly signal: AbortSignal;
  }): Promise<void>;
  links(signal: AbortSignal): Promise<ArtifactLinks>;
}

export interface S3Options extends S3TransportOptions {
  /** Another S3, addressed path-style; unset: the Region's own. */
  readonly endpoint: string | undefined;
  readonly appId: string;
  /** For what errors of S3 say; left out: they say it as it came. */
  readonly mask?: (text: string) => string;
  readonly maxArchiveBytes: number;
  /** Longest time for taking a broken upload back. */
  readonly cleanupMaxMs: number;
  readonly onPartsLeft: PartsLeft;
  readonly retry: RetryPolicyMs;
  readonly clock: Clock;
  readonly random: () => number;
}

/** S3 for all jobs: they share connections, and nothing else. */
export class S3 {
  readonly #options: S3Options;
  readonly #transport: S3Transport;

  constructor(options: S3Options) {
    this.#options = options;
    this.#transport = new S3Transport(options);
  }

  /** The way to S3 of one job, by its own access. */
  of(job: Job, access: JobAccess): Transfers {
    const { socketTimeoutMs, maxArchiveBytes, cleanupMaxMs, onPartsLeft, ...rest } = this.#options;
    const { region } = job.key;
    const calls = new S3Calls({ ...rest, transport: this.#transport, region, access });
    return {
      download: ({ artifact: { name, location }, ...call }) =>
        download({ ...call, calls, name, location, maxBytes: maxArchiveBytes, silenceMaxMs: socketTimeoutMs }),
      upload: ({ artifact: { location }, ...call }) => upload({ ...call, calls, location, cleanupMaxMs, onPartsLeft }),
      links: (signal) => signLinks({ calls, job, signal }),
    };
  }

  close(): void {
    this.#transport.close();
  }
}

// Makes workspaces, and owns what they share: the connections to S3, the threads that unpack and pack, the look at the
// disk. Loads nothing of it before the first job needs it.
import type { Job } from "../job/job.js";
import { machineFault, shortageWait } from "../job/worker-fault.js";
import type { Clock } from "../std/clock.js";
import type { Proxies } from "../std/proxies.js";
import type { RetryPolicyMs } from "../std/retry.js";
import { tryAgain } from "../std/try-again.js";
import { TurnoverSet } from "../std/turnover.js";
import type { ArtifactStore, Room, Workspace, WorkspaceCall } from "./artifacts.js";
import type { FreeSpace } from "./free-space.js";
import type { JobFolders } from "./job-folders.js";
import { LazyWorkspace } from "./lazy-workspace.js";
import type { LeftOut } from "./links.js";
import type { Packer } from "./pack/pack.js";
import { JobAccess } from "./s3/access.js";
import type { S3, Transfers } from "./s3/transfers.js";
import type { PartsLeft } from "./s3/upload.js";
import { Shared } from "./shared.js";
import type { Unpacker } from "./unpack/unpack.js";
import type { UnpackLimits } from "./unpack/unpack-limits.js";
import { JobWorkspace } from "./workspace.js";

export interface S3StoreOptions {
  /** Closed with the store. */
  readonly folders: Pick<JobFolders, "make" | "remove" | "close">;
  /** Closed with the store. */
  readonly space: Pick<FreeSpace, "room" | "reserve" | "close">;
  /** Another S3, addressed path-style; unset: each Region's own. */
  readonly endpoint: string | undefined;
  readonly appId: string;
  readonly proxies: Proxies;
  /** For what errors of S3 say; left out: they say it as it came. */
  readonly mask?: (text: string) => string;
  readonly connectionTimeoutMs: number;
  /** Longest silence on a connection. */
  readonly socketTimeoutMs: number;
  /** For one request of an upload or the beginning of a download's answer. */
  readonly requestTimeoutMs: number;
  readonly limits: UnpackLimits;
  readonly retry: RetryPolicyMs;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called when the folder of a job that has ended could not be removed. */
  readonly onLeftover: (folder: string, error: unknown) => void;
  /** Called when links of an artifact were left out, as `artifacts.badLinks` says. */
  readonly onLinksLeftOut: (job: Job, artifact: string, leftOut: LeftOut) => void;
  /** Called when parts of an upload that broke stay in the bucket. */
  readonly onPartsLeft: PartsLeft;
}

/** Longest time for taking back an upload that broke: well within a stop's time. */
const cleanupMaxMs = 5_000;
/** How long a download waits for others to leave the disk; S3 is asked again afterwards. */
const roomWaitMaxMs = 120_000;
/** Folders packed at once; more would only share the same disk and cores. */
const packThreadsMax = 2;
const packEndMs = 5_000;

/** Artifacts in S3. */
export class S3Store implements ArtifactStore {
  readonly #options: S3StoreOptions;
  readonly #workspaces = new TurnoverSet<JobWorkspace>();
  readonly #opening = (call: WorkspaceCall) => this.#open(call);
  #isClosed = false;
  readonly #s3: Shared<S3>;
  readonly #unpacker: Shared<Unpacker>;
  readonly #packer: Shared<Packer>;

  constructor(options: S3StoreOptions) {
    this.#options = options;
    this.#s3 = new Shared(() => openS3(options));
    this.#unpacker = new Shared(() => openUnpacker(options));
    this.#packer = new Shared(() => openPacker(options));
  }

  room(): Room {
    return this.#options.space.room();
  }

  open(call: WorkspaceCall): Workspace {
    return new LazyWorkspace(this.#opening, call);
  }

  #open(call: WorkspaceCall): Workspace {
    const { folders, space, limits, onLeftover, onLinksLeftOut } = this.#options;
    const life = new AbortController();
    const transfers = new Shared(() => this.#transfers(call, life.signal));
    const workspace: JobWorkspace = new JobWorkspace({
      call,
      makeFolder: () => folders.make(),
      removeFolder: (folder) => folders.remove(folder),
      transfers: () => this.#throughShortage(life.signal, () => transfers.get()),
      unpacker: () => this.#unpacker.get(),
      pack: (request) =>
        this.#throughShortage(request.signal, async () => {
          const { leftOut } = await (await this.#packer.get()).pack(request);
          if (leftOut) onLinksLeftOut(call.job, request.artifact, leftOut);
        }),
      onLinksLeftOut: (artifact, leftOut) => onLinksLeftOut(call.job, artifact, leftOut),
      limits,
      reserve: (bytes, signal) => space.reserve(bytes, { waitMaxMs: roomWaitMaxMs, signal }),
      endAccess: () => life.abort(new Error("the job is over")),
      onLeftover,
      onOver: () => this.#workspaces.delete(member),
    });
    const member = this.#workspaces.add(workspace);
    if (this.#isClosed) void workspace.dispose();
    return workspace;
  }

  /** What is short comes back when other jobs end; an output that waits for it is not lost. */
  #throughShortage<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const passes = (error: unknown) => machineFault(error, "") !== undefined;
    return tryAgain({ clock, signal, ...shortageWait, passes }, work);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#workspaces].map((workspace) => workspace.dispose()));
    const [s3, unpacker, packer] = await Promise.all([this.#s3.made(), this.#unpacker.made(), this.#packer.made()]);
    s3?.close();
    await Promise.all([unpacker?.close(), packer?.close()]);
    this.#options.space.close();
    await this.#options.folders.close();
  }

  async #transfers(call: WorkspaceCall, signal: AbortSignal): Promise<Transfers> {
    const { clock, random } = this.#options;
    const { job, receivedMs } = call;
    const access = new JobAccess({
      first: job.access,
      receivedMs,
      renew: (until) => call.renewAccess(until),
      keepSecrets: (values) => call.keepSecrets(values),
      clock,
      random,
      signal,
    });
    return (await this.#s3.get()).of(job, access);
  }
}

async function openS3(options: S3StoreOptions): Promise<S3> {
  const { S3 } = await import("./s3/transfers.js");
  return new S3({ ...options, maxArchiveBytes: options.limits.maxArchiveBytes, cleanupMaxMs });
}

async function openUnpacker({ clock }: S3StoreOptions): Promise<Unpacker> {
  const [{ Unpacker }, { startUnpackWorker }, { threadEndMs, threadIdleMs, unpackThreadsMax }] = await Promise.all([
    import("./unpack/unpack.js"),
    import("./unpack/thread.js"),
    import("./unpack/unpack-limits.js"),
  ]);
  return new Unpacker({ clock, threadsMax: unpackThreadsMax, threadIdleMs, threadEndMs, start: startUnpackWorker });
}

async function openPacker(options: S3StoreOptions): Promise<Packer> {
  const { clock, limits } = options;
  const { Packer, startPackWorker } = await import("./pack/pack.js");
  return new Packer({ limits, threadsMax: packThreadsMax, endMs: packEndMs, clock, start: startPackWorker });
}

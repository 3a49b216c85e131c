// The contract of artifacts: folders in, folders out. A job's workspace fetches its inputs, unpacks them, packs and
// uploads its outputs, and leaves nothing behind. The engine and the handlers never see S3, an archive or a credential.
import type { ArtifactAccess, Job } from "../job/job.js";
import type { Deadline } from "../std/deadline.js";

/** Makes workspaces. */
export interface ArtifactStore {
  /** Whether there is room for another job's artifacts. Costs nothing: the store itself looks from time to time. */
  room(): Room;
  /** A workspace for one job. Does nothing yet: a job that touches no artifact costs no folder and no call. */
  open(call: WorkspaceCall): Workspace;
  /** Lets go of connections and threads. Idempotent. */
  close(): Promise<void>;
}

/** Whether work may be taken, and if not, why and what to do. */
export interface Room {
  readonly isEnough: boolean;
  readonly reason?: string;
}

export interface WorkspaceCall {
  readonly job: Job;
  /** When the job's access was received at the latest, in ms of the monotonic clock: its life is counted from there. */
  readonly receivedMs: number;
  /**
   * Fresh credentials for the job (GetThirdPartyJobDetails, GetJobDetails); those that came with it live about 15
   * minutes. `undefined`: the answer had none. Throws what the gateway throws.
   */
  renewAccess(signal: AbortSignal): Promise<ArtifactAccess | undefined>;
  /** Masks further secrets for the rest of the job: renewed credentials, pre-signed URLs. */
  keepSecrets(values: readonly string[]): void;
  /** Told of each artifact that was fetched or uploaded, and how large its archive is; must not throw. */
  onMoved?(moved: MovedArtifact): void;
  /** Ends every transfer, unpacking and packing. */
  readonly signal: AbortSignal;
}

/** An artifact that came or went whole. */
export interface MovedArtifact {
  readonly way: "in" | "out";
  readonly name: string;
  readonly bytes: number;
}

/**
 * One job's private folder and its way to its artifacts. Whatever fails in it throws JobFailure of the fitting type:
 * ConfigurationError for an archive or a name that the customer must fix, PermissionError, RevisionUnavailable,
 * SystemUnavailable; or the signal's reason when the signal ended it.
 */
export interface Workspace {
  /**
   * The job's private folder (0700), absolute; made when it is first asked for. `isPassable`: other users may pass
   * through it and what is above it (0711) to a place in it whose name they know, and see no other names.
   */
  folder(options?: { readonly isPassable?: boolean }): Promise<string>;
  /** The folder `inputs/NAME/` with the unpacked artifact. Asked again it answers the same folder. */
  input(name: string): Promise<string>;
  /** The path of the object as stored in S3. */
  inputFile(name: string): Promise<string>;
  /** Packs a folder as zip and uploads it as the named output artifact. Resolves when S3 has it. */
  output(name: string, directory: string): Promise<void>;
  /** Pre-signed URLs for a service that fetches and uploads by itself. */
  links(): Promise<ArtifactLinks>;
  /** Waits for uploads under way; throws the first that failed and was not made good since. Before a success counts. */
  finish(): Promise<void>;
  /** Ends what is under way and removes the folder. Never throws; idempotent. */
  dispose(): Promise<void>;
}

/** What a service needs to touch artifacts without an AWS SDK. The URLs are secrets. */
export interface ArtifactLinks {
  readonly inputs: readonly ArtifactLink[];
  readonly outputs: readonly ArtifactLink[];
  /** When the first of them stops to work. */
  readonly until: Deadline;
}

/** One pre-signed URL: GET for an input, PUT for an output. */
export interface ArtifactLink {
  readonly name: string;
  readonly url: string;
  /** Headers that the request must carry exactly so, because they are signed. */
  readonly headers: Readonly<Record<string, string>>;
}

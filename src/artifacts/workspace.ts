// One job's folder and its artifacts. Does nothing before it is asked, and when it is disposed of, every transfer has
// ended and the folder is gone. S3, archives and threads are behind the parts that it is given.
import { JobFailure } from "../job/failure.js";
import { machineFault } from "../job/worker-fault.js";
import type { ArtifactLinks, Workspace, WorkspaceCall } from "./artifacts.js";
import { GoneAccess } from "./faults.js";
import { JobFolder } from "./job-folder.js";
import { JobInputs, type Reserve } from "./job-inputs.js";
import { JobOutputs, type PackRequest } from "./job-outputs.js";
import type { LeftOut } from "./links.js";
import type { Transfers } from "./s3/transfers.js";
import type { Unpacker } from "./unpack/unpack.js";
import type { UnpackLimits } from "./unpack/unpack-limits.js";

export interface JobWorkspaceOptions {
  readonly call: WorkspaceCall;
  /** Makes the job's private folder. */
  readonly makeFolder: () => Promise<string>;
  /** Removes it, whatever is in it. */
  readonly removeFolder: (folder: string) => Promise<void>;
  /** The job's way to S3; loads the SDK when it is first asked. */
  readonly transfers: () => Promise<Transfers>;
  readonly unpacker: () => Promise<Pick<Unpacker, "begin">>;
  readonly pack: (request: PackRequest) => Promise<void>;
  readonly limits: UnpackLimits;
  /** Reserves room on the disk for a file of so many bytes. */
  readonly reserve: Reserve;
  /** Called when links of an input were left out. */
  readonly onLinksLeftOut: (artifact: string, leftOut: LeftOut) => void;
  /** Ends renewals of access, which outlive the transfers so that a broken upload can be taken back. */
  readonly endAccess: () => void;
  /** Called when the folder could not be removed. */
  readonly onLeftover: (folder: string, error: unknown) => void;
  /** Called when everything has ended and the folder is gone. */
  readonly onOver: () => void;
}

/** The workspace of one job. */
export class JobWorkspace implements Workspace {
  readonly #options: JobWorkspaceOptions;
  readonly #ended = new AbortController();
  readonly #stopFollowing: () => void;
  readonly #folder: JobFolder;
  readonly #inputs: JobInputs;
  readonly #outputs: JobOutputs;
  readonly #open = new Set<Promise<unknown>>();
  #disposed: Promise<void> | undefined;

  constructor(options: JobWorkspaceOptions) {
    this.#options = options;
    const { job, signal: outer } = options.call;
    const follow = () => this.#ended.abort(outer.reason);
    if (outer.aborted) follow();
    else outer.addEventListener("abort", follow, { once: true });
    this.#stopFollowing = () => outer.removeEventListener("abort", follow);
    const { signal } = this.#ended;
    const folder = new JobFolder({ make: options.makeFolder, signal });
    const shared = { job, folder, transfers: options.transfers, signal };
    this.#folder = folder;
    const { unpacker, limits, reserve, onLinksLeftOut } = options;
    const onMoved = (way: "in" | "out") => (name: string, bytes: number) =>
      options.call.onMoved?.({ way, name, bytes });
    this.#inputs = new JobInputs({ ...shared, unpacker, limits, reserve, onLinksLeftOut, onMoved: onMoved("in") });
    this.#outputs = new JobOutputs({ ...shared, pack: options.pack, onMoved: onMoved("out") });
  }

  folder({ isPassable = false }: { readonly isPassable?: boolean } = {}): Promise<string> {
    return this.#tracked(isPassable ? this.#folder.passable() : this.#folder.path());
  }

  input(name: string): Promise<string> {
    return this.#tracked(this.#inputs.unpacked(name));
  }

  inputFile(name: string): Promise<string> {
    return this.#tracked(this.#inputs.file(name));
  }

  output(name: string, directory: string): Promise<void> {
    return this.#tracked(this.#outputs.put(name, directory));
  }

  links(): Promise<ArtifactLinks> {
    return this.#tracked(this.#links());
  }

  finish(): Promise<void> {
    return this.#outputs.finish();
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    const { endAccess, onOver } = this.#options;
    this.#ended.abort(new Error("the job is over"));
    this.#stopFollowing();
    while (this.#open.size > 0) await Promise.allSettled(this.#open);
    endAccess();
    await this.#removeFolder();
    onOver();
  }

  async #removeFolder(): Promise<void> {
    const { removeFolder, onLeftover } = this.#options;
    const folder = await this.#folder.made?.catch(() => undefined);
    if (folder === undefined) return;
    try {
      await removeFolder(folder);
    } catch (error) {
      onLeftover(folder, error);
    }
  }

  async #links(): Promise<ArtifactLinks> {
    try {
      const links = await (await this.#options.transfers()).links(this.#ended.signal);
      this.#options.call.keepSecrets([...links.inputs, ...links.outputs].map(({ url }) => url));
      return links;
    } catch (error) {
      this.#ended.signal.throwIfAborted();
      const short = machineFault(error, "could not create the links to the job's artifacts");
      if (short) throw short;
      const cause = error instanceof Error ? error.message : String(error);
      const type = error instanceof GoneAccess ? "PermissionError" : "SystemUnavailable";
      throw new JobFailure(type, `could not create the links to the job's artifacts: ${cause}`);
    }
  }

  /** Waited for by dispose; and a handler that looks away from its failure must not end the process by it. */
  #tracked<T>(promise: Promise<T>): Promise<T> {
    this.#open.add(promise);
    const over = () => {
      this.#open.delete(promise);
    };
    promise.then(over, over);
    return promise;
  }
}

// The engine's side of a job's artifacts: opens its workspace, fetches fresh access for it, masks what that brings for as
// long as the workspace lives, and hears of what the machine lacks for it.
import type { ArtifactLinks, MovedArtifact, Workspace, WorkspaceCall } from "../artifacts/artifacts.js";
import { isPassing } from "../codepipeline/gateway.js";
import type { ArtifactAccess, Job } from "../job/job.js";
import { shortageWait } from "../job/worker-fault.js";
import { tryAgain } from "../std/try-again.js";
import { calling, withRetries } from "./calls.js";
import type { EngineContext } from "./context.js";
import type { JobInFlight } from "./in-flight.js";

/** Opens the job's workspace; all work in it ends with the signal. */
export function openWorkspace(context: EngineContext, flight: JobInFlight, job: Job, signal: AbortSignal): Workspace {
  return new OpenWorkspace(context, flight, job, signal);
}

/**
 * The store's workspace as handlers get it: it waits for what the machine lacks, and the engine hears of it whether or
 * not the handler looks. And what the store may ask of the engine meanwhile. A class, since each job in flight holds one:
 * as closures they took 1.7 KB of it.
 */
class OpenWorkspace implements Workspace, WorkspaceCall {
  readonly job: Job;
  /** The details came after the poll: counted from it, access is renewed too early at worst. */
  readonly receivedMs: number;
  readonly signal: AbortSignal;
  readonly #context: EngineContext;
  readonly #flight: JobInFlight;
  readonly #workspace: Workspace;
  #unmask: (() => void)[] | undefined;

  constructor(context: EngineContext, flight: JobInFlight, job: Job, signal: AbortSignal) {
    this.job = job;
    this.receivedMs = flight.polledAtMs;
    this.signal = signal;
    this.#context = context;
    this.#flight = flight;
    this.#workspace = context.deps.artifacts.open(this);
  }

  folder(...options: Parameters<Workspace["folder"]>): Promise<string> {
    return this.#waiting(() => this.#workspace.folder(...options));
  }

  input(name: string): Promise<string> {
    return this.#waiting(() => this.#workspace.input(name));
  }

  inputFile(name: string): Promise<string> {
    return this.#waiting(() => this.#workspace.inputFile(name));
  }

  links(): Promise<ArtifactLinks> {
    return this.#waiting(() => this.#workspace.links());
  }

  output(name: string, directory: string): Promise<void> {
    // The workspace itself waits: of two uploads of one name the later must win.
    return this.#looked(this.#workspace.output(name, directory));
  }

  finish(): Promise<void> {
    return this.#workspace.finish();
  }

  async dispose(): Promise<void> {
    await this.#workspace.dispose();
    for (const unmask of this.#unmask ?? []) unmask();
    this.#unmask = undefined;
  }

  async renewAccess(signal: AbortSignal): Promise<ArtifactAccess | undefined> {
    const { key } = this.#flight;
    const fresh = await withRetries(
      this.#context,
      this.#flight,
      { policy: this.#context.limits.retry.details, signal, isWorthIt: ({ kind }) => isPassing(kind) },
      () => calling(this.#context, this.#flight, "details", signal, (gateway) => gateway.detailsAgain(key, signal)),
    );
    // Its nonce is ignored: a job that runs was acknowledged with the old one.
    return fresh.access;
  }

  keepSecrets(values: readonly string[]): void {
    this.#unmask ??= [];
    this.#unmask.push(this.#context.deps.keepSecrets(values));
  }

  onMoved(moved: MovedArtifact): void {
    this.#context.emit({ type: "artifact-moved", key: this.#flight.key, ...moved });
  }

  #waiting<T>(work: () => Promise<T>): Promise<T> {
    const { clock } = this.#context.deps;
    const passes = (error: unknown) => this.#isShort(error);
    return this.#looked(tryAgain({ clock, signal: this.signal, ...shortageWait, passes }, work));
  }

  /** The same promise; one that nobody awaits must not end the process. */
  #looked<T>(promise: Promise<T>): Promise<T> {
    promise.catch((error: unknown) => this.#isShort(error));
    return promise;
  }

  #isShort(error: unknown): boolean {
    return this.#context.admission.machine.hasMet(error);
  }
}

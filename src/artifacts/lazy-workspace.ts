// A workspace that comes to be when it is first asked for: most jobs touch no artifact, and then cost none of it.
import type { ArtifactLinks, Workspace, WorkspaceCall } from "./artifacts.js";

/** Opens the workspace behind it once, at the first use. */
export class LazyWorkspace implements Workspace {
  readonly #open: (call: WorkspaceCall) => Workspace;
  readonly #call: WorkspaceCall;
  #opened: Workspace | undefined;
  #isOver = false;

  constructor(open: (call: WorkspaceCall) => Workspace, call: WorkspaceCall) {
    this.#open = open;
    this.#call = call;
  }

  folder(...options: Parameters<Workspace["folder"]>): Promise<string> {
    return this.#used().folder(...options);
  }

  input(name: string): Promise<string> {
    return this.#used().input(name);
  }

  inputFile(name: string): Promise<string> {
    return this.#used().inputFile(name);
  }

  output(name: string, directory: string): Promise<void> {
    return this.#used().output(name, directory);
  }

  links(): Promise<ArtifactLinks> {
    return this.#used().links();
  }

  async finish(): Promise<void> {
    await this.#opened?.finish();
  }

  async dispose(): Promise<void> {
    this.#isOver = true;
    await this.#opened?.dispose();
  }

  #used(): Workspace {
    if (this.#opened) return this.#opened;
    this.#opened = this.#open(this.#call);
    // Who asks only now is refused by the workspace itself, as everybody is who asks after the end.
    if (this.#isOver) void this.#opened.dispose();
    return this.#opened;
  }
}

// The engine's side of a job's artifacts: opens its workspace, fetches fresh access for it, masks what that brings for as
// long as the workspace lives, and hears of what the machine lacks for it.
import type { Workspace } from "../artifacts/artifacts.js";
import { isPassing } from "../codepipeline/gateway.js";
import type { Job } from "../job/job.js";
import { shortageWait } from "../job/worker-fault.js";
import { tryAgain } from "../std/try-again.js";
import { calling, withRetries } from "./calls.js";
import type { EngineContext } from "./context.js";
import type { JobInFlight } from "./in-flight.js";

/** A workspace, and how to end it. */
export interface OpenWorkspace {
  readonly workspace: Workspace;
  /** Resolves when the folder is gone. Never rejects. */
  close(): Promise<void>;
}

/** Opens the job's workspace; all work in it ends with the signal. */
export function openWorkspace(
  context: EngineContext,
  flight: JobInFlight,
  job: Job,
  signal: AbortSignal,
): OpenWorkspace {
  const { artifacts, keepSecrets } = context.deps;
  const releases: (() => void)[] = [];
  const workspace = artifacts.open({
    job,
    // The details came after the poll: counted from it, access is renewed too early at worst.
    receivedMs: flight.polledAtMs,
    renewAccess: async (renewal) => {
      const fresh = await withRetries(
        context,
        flight,
        { policy: context.limits.retry.details, signal: renewal, isWorthIt: ({ kind }) => isPassing(kind) },
        () => calling(context, flight, "details", renewal, (gateway) => gateway.detailsAgain(job.key, renewal)),
      );
      // Its nonce is ignored: a job that runs was acknowledged with the old one.
      return fresh.access;
    },
    keepSecrets: (values) => void releases.push(keepSecrets(values)),
    onMoved: (moved) => context.emit({ type: "artifact-moved", key: flight.key, ...moved }),
    signal,
  });
  return {
    workspace: throughShortage(workspace, context, signal),
    close: async () => {
      await workspace.dispose();
      for (const release of releases) release();
    },
  };
}

/** A workspace that waits for what the machine lacks; the engine hears of it whether or not the handler looks. */
function throughShortage(workspace: Workspace, context: EngineContext, signal: AbortSignal): Workspace {
  const { clock } = context.deps;
  const passes = (error: unknown) => context.admission.machine.hasMet(error);
  const limits = { clock, signal, ...shortageWait, passes };
  const waiting = <T>(work: () => Promise<T>) => looked(tryAgain(limits, work), passes);
  return {
    folder: () => waiting(() => workspace.folder()),
    input: (name) => waiting(() => workspace.input(name)),
    inputFile: (name) => waiting(() => workspace.inputFile(name)),
    links: () => waiting(() => workspace.links()),
    // The workspace itself waits: of two uploads of one name the later must win.
    output: (name, directory) => looked(workspace.output(name, directory), passes),
    finish: () => workspace.finish(),
    dispose: () => workspace.dispose(),
  };
}

/** The same promise; one that nobody awaits must not end the process. */
function looked<T>(promise: Promise<T>, look: (error: unknown) => void): Promise<T> {
  promise.catch(look);
  return promise;
}

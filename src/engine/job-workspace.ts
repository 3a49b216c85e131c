// The engine's side of a job's artifacts: opens its workspace, fetches fresh access for it, and masks what that brings
// for as long as the workspace lives.
import type { Workspace } from "../artifacts/artifacts.js";
import { isPassing } from "../codepipeline/gateway.js";
import type { Job } from "../job/job.js";
import { calling, patiently } from "./calls.js";
import type { EngineContext } from "./context.js";
import type { JobInFlight } from "./in-flight.js";

/** A workspace, and how to end it. */
export interface OpenWorkspace {
  readonly workspace: Workspace;
  /** Resolves when the folder is gone. Never rejects. */
  close(): Promise<void>;
}

/** Opens the job's workspace; all that goes on in it ends with the signal. */
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
      const fresh = await patiently(
        context,
        flight,
        { policy: context.limits.retry.details, signal: renewal, isWorthIt: ({ kind }) => isPassing(kind) },
        () => calling(context, job.key, "details", (gateway) => gateway.detailsAgain(job.key, renewal)),
      );
      // Its nonce is ignored: a job that runs was acknowledged with the old one.
      return fresh.access;
    },
    keepSecrets: (values) => void releases.push(keepSecrets(values)),
    signal,
  });
  return {
    workspace,
    close: async () => {
      await workspace.dispose();
      for (const release of releases) release();
    },
  };
}

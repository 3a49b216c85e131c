// A job's secrets: masked wherever text leaves the daemon, for as long as the job runs.
import type { Job } from "../job/job.js";
import type { Parts } from "./context.js";
import type { LaneConfig } from "./poller-config.js";

/** Masks the job's credentials and its secret properties until the returned function is called. */
export function maskSecretsOf({ world }: Parts, lane: LaneConfig, job: Job): () => void {
  const credentials = job.access?.credentials;
  const values = credentials
    ? [credentials.secretAccessKey.reveal(), credentials.sessionToken.reveal(), credentials.accessKeyId.reveal()]
    : [];
  for (const name of lane.secretProperties) {
    const value = job.configuration[name];
    if (value) values.push(value);
  }
  return world.keepSecrets(values);
}

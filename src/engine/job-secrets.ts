// A job's secrets: masked wherever text leaves the daemon, for as long as the job runs.
import type { Job } from "../job/job.js";
import type { EngineContext } from "./context.js";
import type { PollerConfig } from "./poller-config.js";

/** Masks the job's credentials and its secret properties until the returned function is called. */
export function maskSecretsOf({ deps }: EngineContext, config: PollerConfig, job: Job): () => void {
  const credentials = job.access?.credentials;
  const values = credentials
    ? [credentials.secretAccessKey.reveal(), credentials.sessionToken.reveal(), credentials.accessKeyId.reveal()]
    : [];
  for (const name of config.secretProperties) {
    const value = job.configuration[name];
    if (value) values.push(value);
  }
  return deps.keepSecrets(values);
}

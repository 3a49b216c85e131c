// A job's secrets: masked wherever text leaves the daemon, for as long as the job runs. Which properties are secret:
// those that the configuration names, those that CodePipeline's action type marks, and those that look it.
import type { Job } from "../job/job.js";
import { looksSecret } from "../std/secret-names.js";
import type { EngineContext } from "./context.js";
import type { PollerConfig } from "./poller-config.js";

/** Values that a name like `PrivateNetwork` may have: no secrets, and masked they would make holes in every line. */
const switches = /^(?:true|false|yes|no|on|off|none|null|enabled|disabled)$/i;

/** Masks the job's credentials and its secret properties until the returned function is called. */
export function maskSecretsOf({ deps }: EngineContext, config: PollerConfig, job: Job): () => void {
  const credentials = job.access?.credentials;
  const values = credentials
    ? [credentials.secretAccessKey.reveal(), credentials.sessionToken.reveal(), credentials.accessKeyId.reveal()]
    : [];
  for (const [name, value] of Object.entries(job.configuration)) {
    const isMarked = deps.isMarkedSecret?.(job.key, name) ?? false;
    if (value && isSecret({ name, value, isMarked }, config)) values.push(value);
  }
  return deps.keepSecrets(values);
}

function isSecret(
  { name, value, isMarked }: { readonly name: string; readonly value: string; readonly isMarked: boolean },
  { secretProperties, notSecretProperties = [] }: PollerConfig,
): boolean {
  if (secretProperties.includes(name)) return true;
  if (notSecretProperties.includes(name)) return false;
  return isMarked || (looksSecret(name) && !switches.test(value));
}

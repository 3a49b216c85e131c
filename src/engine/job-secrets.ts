// A job's secrets: masked wherever text leaves the daemon, for as long as the job runs. Which properties are secret:
// those that the configuration names, those that CodePipeline's action type marks, and those that look it.
import type { Job } from "../job/job.js";
import { secretMark } from "../std/secret-forms.js";
import { looksSecret } from "../std/secret-names.js";
import type { EngineContext } from "./context.js";
import type { ShownDetails } from "./events.js";
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
    if (value && isSecret({ name, value, isMarked: isMarked(deps, job, name) }, config)) values.push(value);
  }
  return deps.keepSecrets(values);
}

/** CodePipeline takes 10 properties of 1,000 characters, and 5 artifacts each way; an emulator may send more. */
const propertiesMax = 50;
const valueMax = 300;

/** The job's details as they may be shown while its secrets are masked: a secret's value is only said to be there. */
export function shownDetails({ deps }: EngineContext, config: PollerConfig, job: Job): ShownDetails {
  const shown = (name: string, value: string) => {
    if (value && isSecret({ name, value, isMarked: isMarked(deps, job, name) }, config)) return secretMark;
    const masked = deps.mask(value);
    return masked.length <= valueMax ? masked : `${masked.slice(0, valueMax - 1).toWellFormed()}…`;
  };
  const names = (artifacts: Job["inputs"]) => artifacts.slice(0, propertiesMax).map(({ name }) => name);
  return {
    configuration: Object.entries(job.configuration)
      .slice(0, propertiesMax)
      .map(([name, value]) => ({ name, value: shown(name, value) })),
    inputs: names(job.inputs),
    outputs: names(job.outputs),
  };
}

function isMarked({ isMarkedSecret }: EngineContext["deps"], { key }: Job, name: string): boolean {
  return isMarkedSecret?.(key, name) ?? false;
}

function isSecret(
  { name, value, isMarked }: { readonly name: string; readonly value: string; readonly isMarked: boolean },
  { secretProperties, notSecretProperties = [] }: PollerConfig,
): boolean {
  if (secretProperties.includes(name)) return true;
  if (notSecretProperties.includes(name)) return false;
  return isMarked || (looksSecret(name) && !switches.test(value));
}

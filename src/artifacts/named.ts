// Which artifact a handler means: only what the action declares, only by a name that can be a folder's name, and only
// when CodePipeline said where it is stored.
import { JobFailure } from "../job/failure.js";
import type { Artifact, Job } from "../job/job.js";
import { isArtifactName } from "../job/limits.js";
import type { PlacedArtifact } from "./s3/transfers.js";

/** The declared artifact by this name. Throws JobFailure. */
export function placed(
  job: Pick<Job, "inputs" | "outputs">,
  direction: "input" | "output",
  name: string,
): PlacedArtifact {
  const declared = direction === "input" ? job.inputs : job.outputs;
  const found = declared.find((each) => each.name === name);
  if (!found || !isArtifactName(found.name)) throw undeclared(direction, name, declared);
  const { location } = found;
  if (location) return { ...found, location };
  const message = `CodePipeline did not say where the ${direction} artifact ${name} is stored`;
  throw new JobFailure(direction === "input" ? "RevisionUnavailable" : "SystemUnavailable", message);
}

function undeclared(direction: "input" | "output", name: unknown, declared: readonly Artifact[]): JobFailure {
  const names = declared.map((each) => each.name).join(", ");
  const has = names === "" ? `has no ${direction} artifacts` : `has the ${direction} artifacts ${names}`;
  const asked = `the handler requested ${JSON.stringify(String(name))}`;
  return new JobFailure("ConfigurationError", `the action ${has}, but ${asked}; correct the pipeline or the handler`);
}

// A command's artifacts in its folder: inputs unpacked before it starts, what it left below `outputs/` uploaded after
// it succeeded. Knows folders and the workspace, nothing of S3.
import { mkdir, opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { JobFailure, messageOf } from "../../job/failure.js";
import { isArtifactName } from "../../job/limits.js";
import { outcomeFrom } from "../../job/outcome.js";
import { machineFault } from "../../job/worker-fault.js";
import { codeOf } from "../../std/errors.js";
import type { HandlerCall } from "../handler.js";
import type { Account } from "./account.js";
import { handOver, makePlace } from "./handover.js";
import { outputsFolder } from "./places.js";

/**
 * The folder that a command runs in, with `inputs/NAME/` unpacked and an empty `outputs/NAME/` for each output: the
 * job's own, or one in it that belongs to the command's account. Throws JobFailure.
 */
export async function prepareFolder(call: HandlerCall, account?: Account): Promise<string> {
  const { job, workspace } = call;
  const folder = await workspace.folder({ isPassable: account !== undefined });
  const inputs: string[] = [];
  // One after another: the worker's disk, memory and threads serve other jobs as well.
  for (const { name } of job.inputs) inputs.push(await workspace.input(name));
  try {
    const place = account ? await makePlace(folder, inputs) : folder;
    for (const { name } of job.outputs) await mkdir(join(place, outputsFolder, checked(name)), { recursive: true });
    if (account) await handOver(place, account);
    return place;
  } catch (error) {
    if (error instanceof JobFailure) throw error;
    const what = "the worker could not make the command's folder";
    throw machineFault(error, what) ?? new JobFailure("SystemUnavailable", `${what}: ${messageOf(error)}`);
  }
}

/**
 * Uploads what a command that succeeded left below `outputs/`. An empty folder is not uploaded, with a warning: an
 * action may have nothing to say, and only the pipeline knows whether a later action misses it. Throws JobFailure.
 */
export async function collectOutputs(call: HandlerCall, folder: string, verdict: unknown): Promise<void> {
  const { job, workspace, log } = call;
  const { kind } = outcomeFrom(verdict, job.key.actionType.owner);
  if (kind === "failed") return;
  for (const { name } of job.outputs) {
    const path = join(folder, outputsFolder, name);
    const isEmpty = await hasNothing(path);
    if (kind === "continued") {
      // The action is not done: its last job uploads.
      if (isEmpty) continue;
      const message = `${outputsFolder}/${name} is not uploaded: the handler returned continued`;
      log.warn("output-not-uploaded", { artifact: name }, message);
    } else if (isEmpty) {
      const message = `${outputsFolder}/${name} is empty, so the output artifact ${name} is not uploaded`;
      log.warn("output-not-uploaded", { artifact: name }, message);
    } else {
      await workspace.output(name, path);
    }
  }
}

/** Whether a verdict that came too late for uploads still counts: not a success whose outputs would be missing. */
export async function standsWithoutUploads(call: HandlerCall, folder: string, verdict: unknown): Promise<boolean> {
  const { key, outputs } = call.job;
  if (outcomeFrom(verdict, key.actionType.owner).kind !== "succeeded") return true;
  for (const { name } of outputs) if (!(await hasNothing(join(folder, outputsFolder, name)))) return false;
  return true;
}

/** False only when it is known that there is no such folder. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    (error: unknown) => codeOf(error) !== "ENOENT",
  );
}

/** True for an empty folder, and when the command removed it. What else it put there is the workspace's to refuse. */
async function hasNothing(path: string): Promise<boolean> {
  try {
    const folder = await opendir(path);
    const first = await folder.read();
    await folder.close();
    return first === null;
  } catch (error) {
    return codeOf(error) === "ENOENT";
  }
}

/** An artifact's name is a folder's name here, and comes from outside. */
function checked(name: string): string {
  if (isArtifactName(name)) return name;
  throw new JobFailure(
    "ConfigurationError",
    `the output artifact ${JSON.stringify(name)} has a name that no folder can have`,
  );
}

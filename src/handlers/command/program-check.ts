// Checks before the first job that a command can be started, so that a missing program is found at start and not by
// a customer. What is true now may change: the start of each job is looked at again.
import { constants } from "node:fs";
import { access, mkdir, open, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { messageOf } from "../../job/failure.js";
import { shortageCode } from "../../job/worker-fault.js";
import { Unbuildable } from "../unbuildable.js";

/** The program's path. Throws Unbuildable when it is not there, is no file or cannot be executed. */
export async function checkProgram(program: string, pathVariable: string | undefined): Promise<string> {
  if (program.includes("/")) {
    const trouble = await troubleWith(program);
    if (trouble !== undefined) throw new Unbuildable(trouble);
    return program;
  }
  for (const folder of (pathVariable ?? "").split(delimiter)) {
    const path = join(folder, program);
    if (isAbsolute(folder) && (await troubleWith(path)) === undefined) return path;
  }
  throw new Unbuildable(
    `the program ${program} was not found in PATH; install it, or write its path (./${program} for one beside the configuration)`,
  );
}

/**
 * Rejects with the system's error when the program, or the interpreter that its first line names, is not there or may
 * not be executed. What passes may still fail to start.
 */
export async function tryProgram(program: string, pathVariable: string | undefined): Promise<void> {
  if (program.includes("/")) return tryFile(program);
  const folders = (pathVariable ?? "").split(delimiter);
  // A relative folder is looked up from the job's own.
  if (pathVariable === undefined || !folders.every((folder) => isAbsolute(folder))) return;
  let first: unknown;
  for (const folder of folders) {
    try {
      return await tryFile(join(folder, program));
    } catch (error) {
      if (shortageCode(error)) throw error;
      first ??= error;
    }
  }
  throw first;
}

async function tryFile(path: string): Promise<void> {
  if (!(await stat(path)).isFile()) throw Object.assign(new Error(`${path} is not a file`), { code: "EACCES" });
  await access(path, constants.X_OK);
  const interpreter = await interpreterOf(path);
  if (interpreter !== undefined) await access(interpreter, constants.X_OK);
}

/** What `#!` names; `undefined` for other programs, and for one that may be executed but not read. */
async function interpreterOf(path: string): Promise<string | undefined> {
  const file = await open(path).catch((error: unknown) => {
    if (shortageCode(error)) throw error;
    return undefined;
  });
  if (!file) return undefined;
  try {
    // The kernel reads no more of it.
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    const [, interpreter] = /^#![ \t]*(\/\S+)/.exec(buffer.toString("latin1", 0, bytesRead)) ?? [];
    return interpreter;
  } finally {
    await file.close();
  }
}

/** Throws Unbuildable for `[node, ./handler.js]`: a command runs in its own folder, where no such file is. */
export function checkArguments(words: readonly string[]): void {
  const lost = words.find((word) => /^\.\.?\//.test(word) && !/^\.\/(inputs|outputs)(\/|$)/.test(word));
  if (lost === undefined) return;
  throw new Unbuildable(
    `the argument ${lost} is a relative path, but a command runs in its job's own folder, which starts empty; write an absolute path`,
  );
}

/** Throws Unbuildable when job folders cannot be created in `workDir`. */
export async function checkWorkDir(workDir: string): Promise<void> {
  try {
    await mkdir(workDir, { recursive: true, mode: 0o700 });
    await access(workDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Unbuildable(
      `job folders cannot be created in ${workDir} (${messageOf(error)}); set artifacts.workDir to a folder that partnerd may write`,
    );
  }
}

/** Throws Unbuildable when a variable cannot be set, or would hide one of ours. */
export function checkVariables(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new Unbuildable(`the variable name ${JSON.stringify(name)} is not made of letters, digits and _`);
    }
    if (name.startsWith("PARTNERD_")) {
      throw new Unbuildable(`the variable ${name} is reserved: names with PARTNERD_ belong to partnerd; rename it`);
    }
    if (value.includes("\0")) throw new Unbuildable(`the value of the variable ${name} holds a NUL; take it out`);
  }
}

async function troubleWith(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) return `the program ${path} is not a file; correct \`command\``;
  } catch (error) {
    return `the program ${path} cannot be found (${messageOf(error)}); correct \`command\``;
  }
  try {
    await access(path, constants.X_OK);
    return undefined;
  } catch {
    return `the program ${path} cannot be executed; run \`chmod +x ${path}\``;
  }
}

// Child processes that a handler's thread starts with the daemon's own output as theirs ("inherit"): they get pipes
// instead, and what they print goes where the handler's own output goes. Their input is empty.
import type childProcessModule from "node:child_process";

export type Print = (stream: "stdout" | "stderr", text: string) => void;

type ChildProcessModule = typeof childProcessModule;
type Stream = "stdout" | "stderr";

/** Of one child that is waited for, where the caller set no limit. */
const syncMaxBytes = 64 * 1024 * 1024;

/** Changes the module's functions in place. `onSpawn` is called before each child that is not waited for. */
export function redirectChildren(module: ChildProcessModule, print: Print, onSpawn: () => void): void {
  const prototype = module.ChildProcess.prototype as unknown as { spawn: (options: Options) => unknown };
  const { spawn } = prototype;
  prototype.spawn = function (this: childProcessModule.ChildProcess, options) {
    onSpawn();
    const { stdio, redirected } = withPipes(options.stdio);
    const result = Reflect.apply(spawn, this, [{ ...options, stdio }]) as unknown;
    for (const stream of redirected) this[stream]?.on("data", (chunk: Buffer) => print(stream, chunk.toString("utf8")));
    return result;
  };
  redirectSpawnSync(module, print);
  redirectExecSync(module, "execSync", print);
  redirectExecSync(module, "execFileSync", print);
}

interface Options {
  readonly stdio?: unknown;
  readonly [name: string]: unknown;
}

/** The same stdio with pipes in place of what would be inherited, and which streams those are. */
function withPipes(stdio: unknown): { readonly stdio: unknown; readonly redirected: readonly Stream[] } {
  const list: readonly unknown[] | undefined =
    stdio === "inherit" ? ["inherit", "inherit", "inherit"] : Array.isArray(stdio) ? stdio : undefined;
  if (list === undefined) return { stdio, redirected: [] };
  const redirected: Stream[] = [];
  const replaced = list.map((each, at) => {
    if (!isInherited(each, at)) return each;
    if (at === 0) return "ignore";
    if (at === 1) redirected.push("stdout");
    if (at === 2) redirected.push("stderr");
    return at <= 2 ? "pipe" : "ignore";
  });
  return { stdio: replaced, redirected };
}

/** The daemon's own input, output or error, however it is named. */
function isInherited(entry: unknown, at: number): boolean {
  if (entry === "inherit") return true;
  if (entry === process.stdin || entry === process.stdout || entry === process.stderr) return true;
  return typeof entry === "number" && (entry <= 2 || (entry === at && at <= 2));
}

function redirectSpawnSync(module: ChildProcessModule, print: Print): void {
  const { spawnSync } = module;
  module.spawnSync = ((...args: unknown[]) => {
    const at = optionsAt(args);
    const { stdio, redirected } = withPipes((args[at] as Options | undefined)?.stdio);
    if (redirected.length === 0) return Reflect.apply(spawnSync, module, args) as unknown;
    args[at] = { maxBuffer: syncMaxBytes, ...(args[at] as Options), stdio };
    const result = Reflect.apply(spawnSync, module, args) as Record<Stream, unknown>;
    for (const stream of redirected) {
      printOutput(print, stream, result[stream]);
      result[stream] = null;
    }
    return result;
  }) as typeof spawnSync;
}

/** With pipes these give stdout to the caller and stderr to this thread's own. */
function redirectExecSync(module: ChildProcessModule, name: "execSync" | "execFileSync", print: Print): void {
  const original = module[name];
  const wrapped = (...args: unknown[]) => {
    const at = optionsAt(args);
    const options = args[at] as Options | undefined;
    const { redirected } = withPipes(options?.stdio);
    if (redirected.length === 0) return Reflect.apply(original, module, args) as unknown;
    const { stdio, ...others } = options ?? {};
    args[at] = { maxBuffer: syncMaxBytes, ...others };
    const isReturned = Array.isArray(stdio) && stdio[1] === "pipe";
    try {
      const output = Reflect.apply(original, module, args) as unknown;
      if (redirected.includes("stdout")) printOutput(print, "stdout", output);
      return isReturned ? output : null;
    } catch (error) {
      // stderr was printed already.
      if (redirected.includes("stdout")) printOutput(print, "stdout", Reflect.get(error as object, "stdout"));
      throw error;
    }
  };
  Reflect.set(module, name, wrapped);
}

function printOutput(print: Print, stream: Stream, output: unknown): void {
  if (typeof output === "string" || Buffer.isBuffer(output)) print(stream, output.toString());
}

/** The position of the options in a call: its last argument, if that is an object; otherwise after all arguments. */
function optionsAt(args: readonly unknown[]): number {
  const last = args.at(-1);
  const isOptions = typeof last === "object" && last !== null && !Array.isArray(last);
  return isOptions ? args.length - 1 : args.length;
}

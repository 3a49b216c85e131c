// A child process with all its descendants: started in its own process group, fed, read, and ended as a whole.
// Knows nothing of jobs. Out of its reach: a descendant that started its own session (setsid) survives, but its
// hold on our pipes does not keep us waiting. POSIX only.
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import type { Clock } from "./clock.js";
import { endsWithin, valueWithin } from "./ends-within.js";
import { codeOf } from "./errors.js";

export interface GroupOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Whom it runs as, without any other group; absent: whom we run as. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /** Written to stdin, which is closed then; a child that does not read it is no error. */
  readonly input: string;
  /** Called when the program runs. */
  readonly onStart?: () => void;
  readonly onOutput: (stream: "stdout" | "stderr", chunk: Buffer) => void;
  /** Ends the group: SIGTERM, and SIGKILL after the grace. */
  readonly signal: AbortSignal;
  readonly graceMs: number;
  /** SIGKILL in the turn that it aborts in, whatever the group is at and whatever is waited for. */
  readonly killSignal: AbortSignal;
  readonly clock: Clock;
}

/** How the group ended. Both of code and signal are null when even SIGKILL did not end the child in time. */
export interface GroupEnd {
  readonly exitCode: number | null;
  readonly exitSignal: NodeJS.Signals | null;
  /** True when the signal aborted before the child had exited by itself. */
  readonly isAborted: boolean;
  /** True when the child left descendants behind, which were killed. */
  readonly hadLeftovers: boolean;
}

/** After the child's exit its pipes are read on for this long: something like `tee` may still be flushing. */
const flushMs = 1_000;
/** After an abort it is only what the pipes still hold. */
const abortFlushMs = 250;
/** A process in an uninterruptible wait does not die of SIGKILL; so long it is given, then it is left. */
const killWaitMs = 1_000;
/** How often a group is looked at while its grace runs, less and less often; the kernel reports only the leader. */
const lookMinMs = 25;
const lookMaxMs = 200;
/** A look reads files, and a disk that hangs keeps those waiting too; then the group counts as living. */
const lookWaitMs = 1_000;

/** It has no pipes when there were no descriptors for them (EMFILE): then its error comes by an event. */
type Child = ChildProcess;
type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/**
 * Runs a program to its end. Resolves when the child has exited and its output is read, soon after an abort in any
 * case. Rejects with the system's error when the program cannot be started.
 */
export async function runGroup(options: GroupOptions): Promise<GroupEnd> {
  const { signal, killSignal, clock } = options;
  const child = start(options);
  const group = child.pid;
  const kill = () => void (group !== undefined && signalGroup(group, "SIGKILL"));
  const abort = Promise.withResolvers<void>();
  const releases = [onAbort(killSignal, kill), onAbort(signal, abort.resolve)];
  let exit: Exit | undefined;
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code, exitSignal) => {
      exit = { code, signal: exitSignal };
      resolve();
    });
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  try {
    await spawned(child);
    options.onStart?.();
    await Promise.race([exited, abort.promise]);
    const isAborted = exit === undefined;
    if (isAborted && group !== undefined) {
      await endGroup(group, options, () => exit !== undefined);
      await endsWithin(exited, killWaitMs, clock);
    }
    await endsWithin(closed, isAborted ? abortFlushMs : flushMs, clock);
    const hadLeftovers = group !== undefined && (await hasLiving(group, lookWaitMs, clock));
    if (hadLeftovers) {
      kill();
      await endsWithin(closed, abortFlushMs, clock);
    }
    const last = exit as Exit | undefined;
    return { exitCode: last?.code ?? null, exitSignal: last?.signal ?? null, isAborted, hadLeftovers };
  } finally {
    for (const release of releases) release();
    letGo(child);
  }
}

/** Asks a group to end, waits until no process is left in it, and kills the rest after the grace. */
async function endGroup(group: number, options: GroupOptions, isLeaderGone: () => boolean): Promise<void> {
  const { graceMs, killSignal, clock } = options;
  const untilMs = clock.monotonic() + graceMs;
  signalGroup(group, "SIGTERM");
  // A stopped process takes its SIGTERM only when it continues.
  signalGroup(group, "SIGCONT");
  let waitMs = lookMinMs;
  const leftMs = () => untilMs - clock.monotonic();
  while (!killSignal.aborted && (!isLeaderGone() || (await hasLiving(group, leftMs(), clock)))) {
    if (leftMs() <= 0) break;
    await clock.sleep(Math.min(waitMs, leftMs()), killSignal);
    waitMs = Math.min(waitMs * 2, lookMaxMs);
  }
  signalGroup(group, "SIGKILL");
}

/**
 * True when a process of the group is alive, or when that is not known in time. Orphans that are dead but that init has
 * not looked at do not count.
 */
async function hasLiving(group: number, limitMs: number, clock: Clock): Promise<boolean> {
  if (!signalGroup(group, 0)) return false;
  return valueWithin(findLiving(group), true, { ms: Math.min(limitMs, lookWaitMs), clock });
}

async function findLiving(group: number): Promise<boolean> {
  try {
    for (const name of await readdir("/proc")) {
      if (/^\d+$/.test(name) && (await livesIn(group, name))) return true;
    }
    return false;
  } catch {
    // No /proc to ask: not Linux. Then what the kernel said above must do.
    return true;
  }
}

async function livesIn(group: number, pid: string): Promise<boolean> {
  // A process that ended meanwhile has no stat any more.
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // `pid (name) state ppid pgrp …`; the name may hold anything, also parentheses.
  const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(pgrp) === group && state !== "Z" && state !== "X";
}

/** Sends a signal (0: none) to every process of a group. False when there is no process. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    // EPERM: a process is there, but of another user (a setuid program).
    return codeOf(error) === "EPERM";
  }
}

/** The child; its output is read and its input written from the first moment on. Throws some errors (E2BIG). */
function start(options: GroupOptions): Child {
  const child: Child = spawn(options.program, options.args, {
    cwd: options.cwd,
    env: options.env,
    ...(options.account ? { uid: options.account.uid, gid: options.account.gid } : {}),
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdout?.on("data", (chunk: Buffer) => options.onOutput("stdout", chunk));
  child.stderr?.on("data", (chunk: Buffer) => options.onOutput("stderr", chunk));
  // A pipe that breaks is the child's business: it shows in how it exits.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.on("error", () => {});
  child.stdin?.end(options.input);
  return child;
}

/** Resolves when the child runs; rejects with errors that come as an event (ENOENT). */
function spawned(child: Child): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.on("error", reject);
  });
}

/** Calls back once when the signal aborts, at once if it has; the returned function takes the listener away. */
function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** Closes our ends of the pipes, even if other processes still hold theirs. */
function letGo(child: Child): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
}

// What a handler's thread shares with the daemon's process and must not touch: its output, its end, its signals, its
// descriptors. Against accidents, not against malice: code that means harm has other ways.
import childProcess from "node:child_process";
import fs from "node:fs";
import nodeModule from "node:module";
import { fileURLToPath } from "node:url";
import workerThreads, { type WorkerOptions } from "node:worker_threads";
import { codeOf } from "../../std/errors.js";
import { threadFile } from "../../std/thread-file.js";
import { shortMessage } from "./portable.js";
import { type Print, redirectChildren } from "./thread-children.js";
import { bytesOf, isEncoding, joined, PrintingDescriptors, redirectFiles } from "./thread-files.js";

/**
 * Sends whatever the thread's code prints to `print`: console, streams, warnings, descriptors 1 and 2, child processes.
 */
export function redirectOutput(print: Print, onSpawn: () => void): void {
  for (const stream of ["stdout", "stderr"] as const) {
    process[stream].write = ((chunk: unknown, encoding?: unknown, done?: unknown) => {
      print(stream, textOf(chunk, encoding));
      const callback = typeof encoding === "function" ? encoding : done;
      if (typeof callback === "function") process.nextTick(callback as () => void);
      return true;
    }) as typeof process.stdout.write;
  }
  Reflect.set(process, "_rawDebug", (...args: unknown[]) => print("stderr", `${args.map(String).join(" ")}\n`));
  process.removeAllListeners("warning");
  process.on("warning", (warning) => print("stderr", `${warning.name}: ${warning.message}\n`));
  const descriptors = new PrintingDescriptors();
  redirectFiles(print, descriptors);
  redirectDescriptors(print, descriptors);
  redirectChildren(childProcess, print, onSpawn);
  redirectThreads();
  nodeModule.syncBuiltinESMExports();
}

/**
 * Threads that the handler's code starts, such as those of a logger's transport: their output comes through its own.
 */
function redirectThreads(): void {
  const { Worker } = workerThreads;
  const { file, execArgv } = threadFile("nested-thread", import.meta.url);
  const preload = [...execArgv, "--require", fileURLToPath(file)];
  const inherited = forThreads(process.execArgv);
  workerThreads.Worker = class extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      super(file, { ...options, execArgv: [...(options.execArgv ?? inherited), ...preload] });
    }
  };
}

/** Of the process's flags those that load code: a thread that is given its flags takes none of V8's. */
function forThreads(flags: readonly string[]): readonly string[] {
  const loads = /^(?:--import|--require|-r|--loader|--experimental-loader|--conditions|-C)(=|$)/;
  return flags.flatMap((flag, at) => {
    const match = loads.exec(flag);
    if (match) return match[1] === "=" ? [flag] : [flag, flags[at + 1] ?? ""];
    return /^--experimental-[a-z-]+$/.test(flag) ? [flag] : [];
  });
}

/** Loggers write to descriptor 1 past every stream. */
function redirectDescriptors(print: Print, descriptors: PrintingDescriptors): void {
  const { write, writeSync, writev, writevSync } = fs;
  const printed = (fd: unknown, data: unknown, args: readonly unknown[]): number | undefined => {
    const stream = descriptors.streamOf(fd);
    if (stream === undefined) return undefined;
    const bytes = bytesOf(data, args);
    print(stream, bytes.toString("utf8"));
    return bytes.length;
  };
  fs.writeSync = ((fd: number, data: never, ...args: never[]) =>
    printed(fd, data, args) ?? writeSync(fd, data, ...args)) as typeof fs.writeSync;
  fs.writevSync = ((fd: number, data: readonly NodeJS.ArrayBufferView[], ...args: []) =>
    printed(fd, joined(data), []) ?? writevSync(fd, data, ...args)) as typeof fs.writevSync;
  const isPrinted = (fd: unknown) => descriptors.streamOf(fd) !== undefined;
  fs.write = later(write, { printed, isPrinted, whole: (data) => data });
  fs.writev = later(writev, { printed, isPrinted, whole: (data) => joined(data as readonly NodeJS.ArrayBufferView[]) });
}

interface Printing {
  readonly printed: (fd: unknown, data: unknown, args: readonly unknown[]) => number | undefined;
  readonly isPrinted: (fd: unknown) => boolean;
  readonly whole: (data: unknown) => unknown;
}

/** The form with a callback. Keeps the original's other properties, such as the one for util.promisify. */
function later<F extends (...args: never[]) => void>(original: F, { printed, isPrinted, whole }: Printing): F {
  const wrapped = (fd: unknown, data: unknown, ...args: unknown[]) => {
    const length = isPrinted(fd) ? printed(fd, whole(data), args.slice(0, -1)) : undefined;
    const callback = args.at(-1);
    if (length === undefined) return Reflect.apply(original, fs, [fd, data, ...args]);
    if (typeof callback === "function") process.nextTick(callback as () => void, null, length, data);
  };
  return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original)) as unknown as F;
}

function textOf(chunk: unknown, encoding: unknown): string {
  if (typeof chunk === "string" && (encoding === undefined || !isEncoding(encoding) || encoding === "utf8"))
    return chunk;
  return bytesOf(chunk, [encoding]).toString("utf8");
}

/** Reports why the thread ends before it does, and keeps its code away from the process's signals and descriptors. */
export function guardProcess(lastWords: (what: string | undefined) => void): void {
  const exit = process.exit.bind(process);
  process.exit = ((code?: number | string | null) => {
    lastWords(`called process.exit(${code ?? ""})`);
    try {
      return exit(code);
    } catch (error) {
      // It is no exit code: the thread lives on.
      lastWords(undefined);
      throw error;
    }
  }) as typeof process.exit;
  process.on("uncaughtExceptionMonitor", (error: unknown, origin) => {
    const what = origin === "unhandledRejection" ? "did not handle a rejected promise" : "threw an uncaught error";
    lastWords(`${what}: ${reasonIn(error)}`);
  });
  const kill = process.kill.bind(process);
  process.kill = (pid, signal) => {
    if (signal !== 0 && (pid === 0 || Math.abs(pid) === process.pid)) {
      throw new Error("a handler cannot send a signal to partnerd's own process");
    }
    return kill(pid, signal);
  };
  guardDescriptors();
  nodeModule.syncBuiltinESMExports();
}

/** The reason of a rejection that is no error stands in Node's own error behind two sentences for developers. */
function reasonIn(error: unknown): string {
  const text = shortMessage(error);
  if (codeOf(error) !== "ERR_UNHANDLED_REJECTION") return text;
  return /The promise rejected with the reason "(.*)"\.$/s.exec(text)?.[1] ?? text;
}

/** Closes only what the thread opened: the rest is the daemon's ledger, sockets and log. */
function guardDescriptors(): void {
  const { open, openSync, close, closeSync } = fs;
  const own = new Set<number>();
  const refusal = (fd: number) =>
    Object.assign(new Error(`EBADF: the handler closes the file descriptor ${fd}, which it did not open`), {
      code: "EBADF",
      errno: -9,
      syscall: "close",
    });
  fs.openSync = ((...args: Parameters<typeof openSync>) => {
    const fd = openSync(...args);
    own.add(fd);
    return fd;
  }) as typeof fs.openSync;
  const openLater = (...args: unknown[]) => {
    const done = args.at(-1);
    if (typeof done === "function") {
      args[args.length - 1] = (error: unknown, fd: number) => {
        if (!error) own.add(fd);
        Reflect.apply(done, undefined, [error, fd]);
      };
    }
    return Reflect.apply(open, fs, args);
  };
  fs.open = Object.defineProperties(openLater, Object.getOwnPropertyDescriptors(open)) as unknown as typeof fs.open;
  fs.closeSync = (fd) => {
    if (!own.has(fd)) throw refusal(fd);
    closeSync(fd);
    own.delete(fd);
  };
  const closeLater = (fd: number, done?: (error: Error | null) => void) => {
    if (!own.delete(fd)) {
      const error = refusal(fd);
      if (done) process.nextTick(done, error);
      else process.emitWarning(error.message);
      return;
    }
    if (done) close(fd, done);
    else close(fd);
  };
  fs.close = Object.defineProperties(closeLater, Object.getOwnPropertyDescriptors(close)) as unknown as typeof fs.close;
}

// The daemon's standard output and error under the names of files: `/dev/stdout`, `/proc/self/fd/2`, or the log file that
// they were sent to, also by a link. What a handler's code writes there is printed like all its output: unmasked it must
// not get there, and opening a file anew to write it would empty the daemon's own log.
import fs, { type Stats } from "node:fs";
import fsPromises from "node:fs/promises";
import tty from "node:tty";
import type { Print } from "./thread-children.js";

export type Stream = "stdout" | "stderr";

/** Opened in its place: what is written there goes nowhere else. */
const nowhere = "/dev/null";

/** Which descriptors of this thread print. */
export class PrintingDescriptors {
  readonly #opened = new Map<number, Stream>();
  readonly #own = ([1, 2] as const).flatMap((fd) => {
    const stats = statsOf(() => fs.fstatSync(fd));
    // Every program's /dev/null is the same file: whoever writes there prints nothing.
    const isOutput = stats && (!stats.isCharacterDevice() || tty.isatty(fd));
    return isOutput ? [{ stats, stream: fd === 1 ? ("stdout" as const) : ("stderr" as const) }] : [];
  });

  /** Standard output or error, if the descriptor is one of them. */
  streamOf(fd: unknown): Stream | undefined {
    if (fd === 1) return "stdout";
    if (fd === 2) return "stderr";
    return typeof fd === "number" ? this.#opened.get(fd) : undefined;
  }

  /** The same of a file that is opened to be written. */
  streamAt(file: unknown, flags: unknown): Stream | undefined {
    if (typeof file === "number") return this.streamOf(file);
    if (!writes(flags)) return undefined;
    const stats = statsOf(() => fs.statSync(file as string));
    return stats && this.#own.find((own) => own.stats.dev === stats.dev && own.stats.ino === stats.ino)?.stream;
  }

  /** A number is given out again after it was closed. */
  note(fd: number, stream: Stream | undefined): void {
    if (stream === undefined) this.#opened.delete(fd);
    else this.#opened.set(fd, stream);
  }
}

/** Files that are opened or written as a whole; what is then written by descriptor is redirected there. */
export function redirectFiles(print: Print, descriptors: PrintingDescriptors): void {
  const { open, openSync, writeFileSync } = fs;
  fs.openSync = (file, flags, mode) => {
    const stream = descriptors.streamAt(file, flags);
    const fd = stream === undefined ? openSync(file, flags, mode) : openSync(nowhere, "w");
    descriptors.note(fd, stream);
    return fd;
  };
  const openLater = (file: unknown, ...args: unknown[]) => {
    const done = args.at(-1);
    if (typeof done !== "function") return Reflect.apply(open, fs, [file, ...args]);
    const stream = descriptors.streamAt(file, args.length > 1 ? args[0] : undefined);
    const noted = (error: unknown, fd: number) => {
      if (!error) descriptors.note(fd, stream);
      Reflect.apply(done, undefined, [error, fd]);
    };
    return Reflect.apply(open, fs, stream ? [nowhere, "w", noted] : [file, ...args.slice(0, -1), noted]);
  };
  fs.open = Object.defineProperties(openLater, Object.getOwnPropertyDescriptors(open)) as unknown as typeof fs.open;
  // A string is written without fs.openSync and fs.writeSync; fs.appendFileSync comes here too.
  fs.writeFileSync = (file, data, options) => {
    const stream = typeof data === "string" ? descriptors.streamAt(file, flagOf(options)) : undefined;
    if (stream === undefined) return writeFileSync(file, data, options);
    print(stream, String(data));
  };
  redirectPromises(print, descriptors);
}

function redirectPromises(print: Print, descriptors: PrintingDescriptors): void {
  const { open, writeFile, appendFile } = fsPromises;
  fsPromises.open = async (file, flags, mode) => {
    const stream = descriptors.streamAt(file, flags);
    const handle = stream === undefined ? await open(file, flags, mode) : await open(nowhere, "w");
    descriptors.note(handle.fd, stream);
    return stream === undefined ? handle : printing(handle, (text) => print(stream, text));
  };
  const whole = (original: typeof writeFile, flag: string) =>
    (async (file, data, options) => {
      // A handle has its own methods.
      const stream = descriptors.streamAt(file, flagOf(options) ?? flag);
      if (stream === undefined) return original(file, data, options);
      await printAll(data, (text) => print(stream, text));
    }) as typeof writeFile;
  fsPromises.writeFile = whole(writeFile, "w");
  fsPromises.appendFile = whole(appendFile as typeof writeFile, "a");
}

/** The handle, printing what it is told to write. */
function printing(handle: fsPromises.FileHandle, print: (text: string) => void): fsPromises.FileHandle {
  const written = (data: unknown, args: readonly unknown[]) => {
    const bytes = bytesOf(data, args);
    print(bytes.toString("utf8"));
    return bytes.length;
  };
  const all = (data: unknown) => printAll(data, print);
  return Object.assign(handle, {
    write: async (data: unknown, ...args: unknown[]) => ({ bytesWritten: written(data, args), buffer: data }),
    writev: async (parts: readonly NodeJS.ArrayBufferView[]) => ({
      bytesWritten: written(joined(parts), []),
      buffers: parts,
    }),
    writeFile: all,
    appendFile: all,
  });
}

/** Text, bytes, or a stream of them. */
async function printAll(data: unknown, print: (text: string) => void): Promise<void> {
  if (typeof data === "string" || ArrayBuffer.isView(data)) return print(bytesOf(data, []).toString("utf8"));
  for await (const part of data as AsyncIterable<unknown>) print(bytesOf(part, []).toString("utf8"));
}

export function joined(parts: readonly NodeJS.ArrayBufferView[]): Buffer {
  return Buffer.concat(parts.map((each) => Buffer.from(each.buffer, each.byteOffset, each.byteLength)));
}

/** The bytes of fs.write's second argument; what follows are offset, length and position, or position and encoding. */
export function bytesOf(data: unknown, args: readonly unknown[]): Buffer {
  if (!ArrayBuffer.isView(data)) return Buffer.from(String(data), args.find(isEncoding) ?? "utf8");
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const [first, second] = args;
  const options =
    typeof first === "object" && first !== null ? (first as { offset?: number; length?: number }) : undefined;
  const offset = options?.offset ?? (typeof first === "number" ? first : 0);
  const length = options?.length ?? (typeof second === "number" ? second : bytes.length - offset);
  return bytes.subarray(offset, offset + length);
}

export function isEncoding(value: unknown): value is BufferEncoding {
  return typeof value === "string" && Buffer.isEncoding(value);
}

/** Whether a file is opened to be written; without flags it is opened to be read. */
function writes(flags: unknown): boolean {
  if (typeof flags === "number") return (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) !== 0;
  return typeof flags === "string" && /[wa+]/.test(flags);
}

/** The flag among the options of a whole file's writing. */
function flagOf(options: unknown): unknown {
  const flag: unknown = typeof options === "object" && options !== null ? Reflect.get(options, "flag") : undefined;
  return flag ?? "w";
}

function statsOf(look: () => Stats): Stats | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

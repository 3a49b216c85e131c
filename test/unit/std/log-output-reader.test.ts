// The log against real readers that stand still: the event loop goes on, what is kept arrives whole and in order,
// and what was dropped is counted. Each kind of standard output that a daemon may get is tried.
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync, watch } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LogChildRequest, levelOf, secret } from "../../support/log-child.js";
import { sourceHook } from "../../support/source-hook.js";

const program = fileURLToPath(new URL("../../support/log-child.ts", import.meta.url));
const args = ["--import", sourceHook, program];
const hasScript = spawnSync("script", ["--version"]).status === 0;
if (!hasScript) process.stderr.write("skipped: the log on a terminal, since util-linux's script is not here\n");
const limitMs = 60_000;

let directory: string;
let started: Child[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "partnerd-log-"));
  started = [];
});
afterEach(() => {
  for (const child of started) child.kill();
  rmSync(directory, { recursive: true });
});

/** The process that logs, and the far end of its standard output, which nobody reads before `read`. */
class Child {
  readonly #process: ChildProcess;
  readonly #reader: Readable | undefined;
  readonly #exit: Promise<unknown>;
  readonly #texts: string[] = [];

  constructor(started: ChildProcess, reader: Readable | undefined, exit: Promise<unknown>) {
    this.#process = started;
    this.#reader = reader;
    this.#exit = exit;
  }

  get text(): string {
    return this.#texts.join("");
  }

  async ask(request: LogChildRequest): Promise<void> {
    this.#process.send(request);
    await once(this.#process, "message");
  }

  async ready(): Promise<void> {
    await once(this.#process, "message");
  }

  /** Begins to read; resolves when it has read `text`. */
  async read(text = "\n"): Promise<void> {
    const seen = Promise.withResolvers<void>();
    // Looked for in what is new alone: all of it is 16 MiB.
    let end = "";
    this.#reader?.on("data", (data) => {
      const latest = end + String(data);
      if (latest.includes(text)) seen.resolve();
      end = latest.slice(-text.length);
      this.#texts.push(String(data));
    });
    await seen.promise;
  }

  /** Tells it to end; its exit code. */
  async end(code: number): Promise<unknown> {
    this.#process.send({ type: "end", code } satisfies LogChildRequest);
    return this.#exit;
  }

  async isRead(): Promise<void> {
    if (this.#reader?.readableEnded === false) await once(this.#reader, "end");
  }

  kill(): void {
    this.#process.kill("SIGKILL");
    this.#reader?.destroy();
  }
}

async function begun(child: ChildProcess, reader: Readable | undefined, exit = exitOf(child)): Promise<Child> {
  const it = new Child(child, reader, exit);
  started.push(it);
  await it.ready();
  return it;
}

async function exitOf(child: ChildProcess): Promise<unknown> {
  return (await once(child, "exit"))[0];
}

/** The number in a file, once it is there. */
async function numberIn(name: string): Promise<number> {
  const path = join(directory, name);
  const changes = watch(directory);
  while (!existsSync(path)) await once(changes, "change");
  changes.close();
  return Number(readFileSync(path, "utf8"));
}

function run(stdio: StdioOptions): ChildProcess {
  return spawn(process.execPath, args, { stdio });
}

const places = {
  /** What systemd gives a service, and Node a child. */
  socket: async () => {
    const child = run(["ignore", "pipe", "inherit", "ipc"]);
    return begun(child, child.stdout ?? undefined);
  },
  pipe: async () => {
    const path = join(directory, "pipe");
    spawnSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    const child = run(["ignore", writer, "inherit", "ipc"]);
    closeSync(writer);
    return begun(child, new Socket({ fd: reader, writable: false }));
  },
  /** `script` reads the terminal no more once nobody reads its own output. */
  terminal: async () => {
    const words = [process.execPath, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    const code = join(directory, "code");
    // `script` itself may hang at its end: the code of the process comes by a file.
    const line = `stty -opost; ${words.join(" ")}; echo $? >'${code}.new'; mv '${code}.new' '${code}'`;
    const child = spawn("script", ["-qec", line, "/dev/null"], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
    return begun(child, child.stdout ?? undefined, numberIn("code"));
  },
};
type Place = keyof typeof places;
const all = (Object.keys(places) as Place[]).filter((place) => place !== "terminal" || hasScript);

const dropped = "log-lines-dropped";
/** 1.1 KB each: 10 MiB more than what may wait. */
const flood = 24_000;
/** More than any pipe, socket or terminal takes without a reader. */
const some = 2_000;

function documents(text: string): Record<string, unknown>[] {
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each(all)("the log on a %s whose reader stands still", (place) => {
  it("never blocks, drops the least important lines and says how many", { timeout: limitMs }, async () => {
    const child = await places[place]();
    await child.ask({ type: "share" });
    await child.ask({ type: "log", lines: flood });
    await child.ask({ type: "ping" });
    await child.read(dropped);
    await child.ask({ type: "log", lines: 100 });
    expect(await child.end(7)).toBe(7);
    await child.isRead();
    expect(child.text).not.toContain(secret);
    const lines = documents(child.text);
    const reports = lines.filter(({ event }) => event === dropped);
    const numbers = lines.filter(({ msg }) => msg === "with [secret]").map(({ n }) => Number(n));
    expect(reports).toEqual([expect.objectContaining({ level: "error", lines: flood + 100 - numbers.length })]);
    expect(numbers.length).toBeLessThan(flood - 5_000);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    const important = Array.from({ length: flood }, (_, n) => n).filter((n) => levelOf(n) !== "info");
    expect(numbers.filter((n) => n < flood && levelOf(n) !== "info")).toEqual(important);
  });

  it("does not hold up the exit", { timeout: limitMs }, async () => {
    const child = await places[place]();
    await child.ask({ type: "log", lines: some });
    const startedMs = performance.now();
    expect(await child.end(7)).toBe(7);
    // Half a second for a reader that takes nothing; the rest is the machine's.
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it("is written to the end at the exit while the reader takes it", { timeout: limitMs }, async () => {
    const child = await places[place]();
    await child.ask({ type: "log", lines: some });
    await child.read();
    expect(await child.end(0)).toBe(0);
    await child.isRead();
    expect(documents(child.text).map(({ n }) => n)).toEqual(Array.from({ length: some }, (_, n) => n));
  });
});

it("the log in a file has every line", { timeout: limitMs }, async () => {
  const path = join(directory, "log");
  const file = openSync(path, "w");
  const child = await begun(run(["ignore", file, "inherit", "ipc"]), undefined);
  closeSync(file);
  await child.ask({ type: "log", lines: some });
  await child.end(0);
  expect(documents(readFileSync(path, "utf8")).map(({ n }) => n)).toEqual(Array.from({ length: some }, (_, n) => n));
});

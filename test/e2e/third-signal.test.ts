// Promise: at the third signal every process of every job is killed within a second and partnerd ends soon after, with
// what is owed in its exit code, its log and its page, whatever client, disk or thread holds something open.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { signalGroup } from "../../src/std/process-tree.js";
import {
  configFor,
  handlerModule,
  startProgram,
  startTestEmulator,
  testFolder,
  thirdParty,
  toldTwice,
} from "../support/program.js";

const head = "host: 127.0.0.1\r\ncontent-type: application/json\r\n";
const halfBody = `${head}content-length: 400\r\n\r\n{"message":`;

interface Stage {
  readonly hold: (text: string, times?: number) => Promise<void>;
  readonly hang: () => Promise<void>;
  readonly reload: () => Promise<void>;
}

it.each<[string, (stage: Stage) => Promise<void>, string?]>([
  ["nobody", async () => {}],
  ["a client with half an order", ({ hold }) => hold(`POST /jobs/j/fail HTTP/1.1\r\n${halfBody}`)],
  [
    "a service with half a callback",
    ({ hold }) => hold(`POST /jobs/j/outcome HTTP/1.1\r\nauthorization: Bearer t\r\n${halfBody}`),
  ],
  ["clients that say nothing", ({ hold }) => hold("", 100)],
  ["file operations", ({ hang }) => hang(), `for (let n = 0; n < 8; n++) void open("fifo").catch(() => {});`],
  ["a thread", ({ hang }) => hang(), `new Worker('require("node:fs").openSync("fifo")', { eval: true }).unref();`],
  ["a reload that brought another handler", ({ reload }) => reload()],
])("whatever holds something open: %s", async (_who, holdUp, hanging = "") => {
  const emulator = await startTestEmulator();
  const folder = testFolder();
  execFileSync("mkfifo", [join(folder, "fifo")]);
  const port = await freePort();
  const config = (command: string) =>
    configFor(
      emulator,
      { kind: "command", command: ["/bin/sh", "-c", command] },
      {
        handlers: {
          only: { kind: "command", command: ["/bin/sh", "-c", command] },
          other: { kind: "module", path: "./other.mjs" },
        },
        shutdown: { drainTimeout: "10m", cancelGrace: "10m" },
        ledger: { store: "sqlite", path: "./partnerd.db" },
        admin: { port },
      },
    );
  const imports = `import { open } from "node:fs/promises"; import { Worker } from "node:worker_threads";`;
  const files = {
    "partnerd.yaml": config(deaf),
    "other.mjs": handlerModule("", `${imports}\nprocess.once("SIGUSR2", () => {${hanging}});`),
  };
  const program = startProgram(["run"], { folder, files });
  const id = emulator.addJob({ actionType: thirdParty });
  await program.says(/"group \d+ \d+"/);
  const pids =
    /group (\d+) (\d+)/
      .exec(
        program
          .logs()
          .map(({ msg }) => msg)
          .join("\n"),
      )
      ?.slice(1)
      .map(Number) ?? [];
  expect(pids).toHaveLength(2);
  onTestFinished(() => {
    for (const pid of pids) signalGroup(pid, "SIGKILL");
  });
  const page = holder(port, "GET /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  await expect.poll(page.heard).toContain("event: sections");
  await holdUp({
    hold: async (text, times = 1) => {
      for (let n = 0; n < times; n++) holder(port, text);
      // What was sent before has been read when a later connection is answered.
      expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
    },
    hang: async () => {
      program.child.kill("SIGUSR2");
      await program.logged("job-status");
    },
    reload: async () => {
      writeFileSync(join(folder, "partnerd.yaml"), config("exit 0"));
      program.child.kill("SIGHUP");
      await program.says(/"reload-finished","applied":\["handlers"/);
    },
  });
  await toldTwice(program);
  expect(pids.map(isAtWork)).toEqual([true, true]);
  program.child.kill("SIGTERM");
  await expect.poll(() => pids.map(isAtWork), { timeout: 1_000, interval: 20 }).toEqual([false, false]);
  expect(await program.ended).toMatchObject({ code: 75, signal: null });
  // Of one whose disk hangs the outcome could not be settled.
  const stopped = program.logs().find(({ event }) => event === "stopped");
  expect(stopped).toMatchObject({ level: "error", owed: 1 });
  const [, said] =
    /^stopped; ((?:1 result owed|1 job unfinished); it is in the ledger.*)/.exec(`${stopped?.["msg"]}`) ?? [];
  expect(said).toBeDefined();
  expect(page.heard()).toContain(`Stopped; ${said}`);
  expect(page.heard()).toMatch(/event: end\n/);
  expect(emulator.job(id)?.status).toBe("InProgress");
});

/** Ignores SIGTERM, with a child in the same group and in a session of its own; says all their ids. */
const deaf = `trap '' TERM; setsid sh -c 'trap "" TERM; echo group '$$' $$; while :; do sleep 0.05; done' &
while :; do sleep 0.05; done`;

/** A connection that stays open and sends this much. */
function holder(port: number, text: string) {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let all = "";
  socket.setEncoding("utf8").on("data", (piece: string) => {
    all += piece;
  });
  socket.on("error", () => {});
  if (text !== "") socket.write(text);
  return { heard: () => all };
}

function isAtWork(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

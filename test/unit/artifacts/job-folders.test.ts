// Jobs' folders are private, go with their job, and of the dead nothing stays while the living keep theirs.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JobFolders } from "../../../src/artifacts/job-folders.js";
import { FakeClock } from "../../support/fake-clock.js";
import { sourceHook } from "../../support/source-hook.js";

const isRoot = process.geteuid?.() === 0;
const childProgram = fileURLToPath(new URL("../../support/job-folders-child.ts", import.meta.url));
let base: string;
let workDir: string;
let clock: FakeClock;
let troubles: string[];
let opened: JobFolders[];
let children: ChildProcess[];

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "partnerd-folders-")));
  workDir = join(base, "work");
  clock = new FakeClock();
  troubles = [];
  opened = [];
  children = [];
});

afterEach(async () => {
  for (const folders of opened) await folders.close();
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(base, { recursive: true, force: true });
});

async function open(at = workDir): Promise<JobFolders> {
  const folders = await JobFolders.open({
    workDir: at,
    clock,
    closeMaxMs: 10_000,
    onTrouble: (text) => troubles.push(text),
  });
  opened.push(folders);
  return folders;
}

/** A living process with a job's folder; a launcher may stand before it. */
async function child(launcher: readonly string[] = []): Promise<{ process: ChildProcess; folder: string }> {
  const [program = "", ...args] = [...launcher, process.execPath, "--import", sourceHook, childProgram, workDir];
  const started = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(started);
  for await (const folder of createInterface({ input: started.stdout })) return { process: started, folder };
  throw new Error("the child ended without a folder");
}

test("makes folders that nobody else may enter, each another one, also where nothing is yet", async () => {
  const folders = await open(join(workDir, "deep/er"));
  const made = await Promise.all(Array.from({ length: 20 }, () => folders.make()));
  expect(new Set(made).size).toBe(20);
  for (const path of [workDir, join(workDir, "deep/er"), dirname(made[0] ?? ""), ...made]) {
    expect(statSync(path).mode & 0o777).toBe(0o700);
  }
});

test("removes a job's folder whatever is in it", async () => {
  const folders = await open();
  const folder = await folders.make();
  mkdirSync(join(folder, "a/b"), { recursive: true });
  writeFileSync(join(folder, "a/b/c"), "", { mode: 0o400 });
  symlinkSync(base, join(folder, "a/link"));
  chmodSync(join(folder, "a/b"), 0);
  chmodSync(join(folder, "a"), 0o500);
  await folders.remove(folder);
  await folders.remove(folder);
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(base)).toBe(true);
});

test("leaves nothing behind when it closes, and makes no folder afterwards", async () => {
  const folders = await open();
  writeFileSync(join(await folders.make(), "left"), "");
  await folders.close();
  await folders.close();
  expect(readdirSync(workDir)).toEqual([]);
  expect(clock.pending).toBe(0);
  await expect(folders.make()).rejects.toThrow("is stopping");
});

test("sweeps what a killed process left, and leaves a living one's alone", async () => {
  const dead = await child();
  const living = await child();
  dead.process.kill("SIGKILL");
  await once(dead.process, "exit");
  const folders = await open();
  expect(await folders.sweep()).toEqual({ removed: 1, living: 1, failed: 0 });
  expect(existsSync(dead.folder)).toBe(false);
  expect(existsSync(join(living.folder, "work"))).toBe(true);
  living.process.stdin?.end();
  await once(living.process, "exit");
  await folders.close();
  expect(readdirSync(workDir)).toEqual([]);
  expect(troubles).toEqual([]);
});

const alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
test.skipIf(!canUnshare())("knows the living in another pid namespace, as in a container (needs root)", async () => {
  const living = await child(alone);
  const folders = await open();
  expect(await folders.sweep()).toEqual({ removed: 0, living: 1, failed: 0 });
  expect(existsSync(join(living.folder, "work"))).toBe(true);
  living.process.kill("SIGKILL");
  await once(living.process, "exit");
  // The kernel ends the namespace and drops its locks; that takes it a moment.
  for (let look = 0; look < 1_000 && existsSync(living.folder); look++) await folders.sweep();
  expect(existsSync(living.folder)).toBe(false);
});

function canUnshare(): boolean {
  try {
    execFileSync("unshare", [...alone.slice(1), "true"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

test("keeps apart several daemons of one process, and many that start and sweep at once", async () => {
  const many = await Promise.all(Array.from({ length: 8 }, () => open()));
  const made = await Promise.all(many.map((folders) => folders.make()));
  const swept = await Promise.all(many.map((folders) => folders.sweep()));
  expect(swept).toEqual(many.map(() => ({ removed: 0, living: 7, failed: 0 })));
  for (const folder of made) expect(existsSync(folder)).toBe(true);
  expect(troubles).toEqual([]);
});

test("touches nothing that is not named like its own", async () => {
  const folders = await open();
  mkdirSync(join(workDir, "run-of-mine"));
  mkdirSync(join(workDir, "job-abc"));
  writeFileSync(join(workDir, "notes.lock"), "");
  expect(await folders.sweep()).toEqual({ removed: 0, living: 0, failed: 0 });
  expect(readdirSync(workDir)).toEqual(expect.arrayContaining(["run-of-mine", "job-abc", "notes.lock"]));
});

test("tells what it cannot remove, leaves a folder without its lock alone, and sweeps on", async () => {
  const folders = await open();
  const leave = (name: string) => {
    mkdirSync(join(workDir, name));
    writeFileSync(join(workDir, `${name}.lock`), "");
  };
  mkdirSync(join(workDir, "run-00000000000000aa"));
  leave("run-00000000000000bb");
  writeFileSync(join(workDir, "run-00000000000000bb.lock"), "this is no lock of ours, it is a letter");
  leave("run-00000000000000cc");
  writeFileSync(join(workDir, "run-00000000000000dd.lock"), "");
  expect(await folders.sweep()).toEqual({ removed: 2, living: 0, failed: 2 });
  expect(readdirSync(workDir).filter((name) => /0(cc|dd)(\.lock)?$/.test(name))).toEqual([]);
  expect(troubles).toEqual([
    expect.stringMatching(/could not remove .*aa, which a dead process left behind: its lock is missing/),
    expect.stringMatching(/could not remove .*bb, which a dead process left behind: /),
  ]);
});

test("goes on in a new folder when somebody removed the work folder, and says so once", async () => {
  const folders = await open();
  await folders.make();
  rmSync(workDir, { recursive: true });
  const made = await Promise.all([folders.make(), folders.make()]);
  for (const folder of made) expect(statSync(folder).isDirectory()).toBe(true);
  expect(troubles).toEqual([expect.stringContaining("was removed while it was in use")]);
  await folders.close();
  expect(readdirSync(workDir)).toEqual([]);
});

test("makes folders again once what was in the way of a new run folder is gone", async () => {
  const folders = await open();
  await folders.make();
  rmSync(workDir, { recursive: true });
  writeFileSync(workDir, "in the way");
  for (let times = 0; times < 2; times++) await expect(folders.make()).rejects.toThrow();
  rmSync(workDir);
  expect(existsSync(await folders.make())).toBe(true);
});

test("keeps what it holds from looking old to programs that clean temporary folders", async () => {
  const folders = await open();
  const run = dirname(await folders.make());
  utimesSync(run, 1, 1);
  utimesSync(`${run}.lock`, 1, 1);
  await clock.advance(3_600_000);
  // The touch itself takes the disk's time, not the clock's.
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(statSync(run).mtimeMs).toBe(clock.now());
  expect(statSync(`${run}.lock`).mtimeMs).toBe(clock.now());
  const sibling = await open();
  expect(await sibling.sweep()).toEqual({ removed: 0, living: 1, failed: 0 });
});

async function refusalOf(path: string): Promise<string> {
  const error = await open(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: "WorkDirError" });
  return error instanceof Error ? error.message : "";
}

test("refuses a work folder that others may write to", async () => {
  for (const mode of [0o777, 0o1777, 0o770]) {
    mkdirSync(workDir, { recursive: true });
    chmodSync(workDir, mode);
    expect(await refusalOf(workDir)).toBe(
      `job folders cannot be created in ${workDir}: other users may write to it (mode ${mode.toString(8)}); ` +
        `set artifacts.workDir to a folder below it, such as ${workDir}/partnerd, which partnerd creates, ` +
        "or make it accessible to partnerd's user only (chown, chmod 700)",
    );
  }
  expect(readdirSync(workDir)).toEqual([]);
  // As it says.
  const folders = await open(join(workDir, "partnerd"));
  expect(statSync(join(workDir, "partnerd")).mode & 0o777).toBe(0o700);
  expect(dirname(dirname(await folders.make()))).toBe(join(workDir, "partnerd"));
});

test.skipIf(!isRoot)("refuses a work folder of another user, and a link that he planted (needs root)", async () => {
  mkdirSync(workDir, { mode: 0o700 });
  chownSync(workDir, 12_345, 12_345);
  expect(await refusalOf(workDir)).toContain("it belongs to another user (uid 12345)");
  mkdirSync(join(base, "ours"), { mode: 0o700 });
  symlinkSync(join(base, "ours"), join(base, "planted"));
  execFileSync("chown", ["-h", "12345", join(base, "planted")]);
  for (const path of [join(base, "planted"), join(base, "planted/within")]) {
    expect(await refusalOf(path)).toContain("planted is a link of another user (uid 12345)");
  }
  expect(readdirSync(join(base, "ours"))).toEqual([]);
});

test("follows links that are ours", async () => {
  mkdirSync(join(base, "disk"));
  symlinkSync("disk", join(base, "link"));
  const folders = await open(join(base, "link/work"));
  expect(basename(dirname(realpathSync(await folders.make())))).toMatch(/^run-[0-9a-f]{16}$/);
  expect(readdirSync(join(base, "disk"))).toEqual(["work"]);
});

test("says why and what to do when no folder can be made there", async () => {
  writeFileSync(join(base, "file"), "");
  expect(await refusalOf(join(base, "file/work"))).toBe(
    `job folders cannot be created in ${base}/file/work: ENOTDIR; set artifacts.workDir to a folder that partnerd may write`,
  );
});

test("kills what a dead process's commands still do, with their children, and nobody else's", async () => {
  const dead = await child();
  const living = await open();
  const other = await living.make();
  const script = "sleep 60 & echo at work; wait";
  const [left, spared] = [dead.folder, other].map((its) => {
    const env = { PATH: process.env["PATH"], PARTNERD_OUTCOME: join(its, "outcome.json") };
    const command = spawn("sh", ["-c", script], { env, detached: true, stdio: ["ignore", "pipe", "ignore"] });
    children.push(command);
    return command;
  });
  await Promise.all([left, spared].map((command) => once(command?.stdout as NodeJS.ReadableStream, "data")));
  dead.process.kill("SIGKILL");
  await once(dead.process, "exit");
  const next = await open();
  const ended = once(left as ChildProcess, "close");
  await next.killLeftovers();
  // Its output closes only when its own child is gone as well.
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect(spared?.exitCode ?? spared?.signalCode).toBeNull();
  expect(troubles).toEqual([expect.stringMatching(/^killed 2 processes of a dead daemon /)]);
  process.kill(-(spared?.pid ?? 0), "SIGKILL");
});

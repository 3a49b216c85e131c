// Whether the machine has a little of everything that jobs need: open files, a process, disk space. It really takes
// them, since what the system counts (limits of a user, a container, a quota) cannot be read off anywhere.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";

/** What one command takes while it is started: three pipes with two ends, and one that reports its start. */
const filesWanted = 10;
/** An ordinary page of the disk would say little of the next artifact. */
const bytesWanted = 1024 * 1024;

/** Takes some of each and gives it back. Rejects with what the system says. */
export async function testMachine(folder: string): Promise<void> {
  await openFiles();
  await startProcess();
  await writeFile(folder);
}

async function openFiles(): Promise<void> {
  const opened: FileHandle[] = [];
  try {
    while (opened.length < filesWanted) opened.push(await open("/dev/null"));
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}

/** Our own program is the one that is surely there; it ends before it has started anything. */
function startProcess(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--version"], { stdio: "ignore", env: {} });
    child.once("error", reject);
    child.once("exit", () => resolve());
  });
}

async function writeFile(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `test-${randomBytes(8).toString("hex")}`);
  const file = await open(path, "wx", 0o600);
  try {
    // It goes with its descriptor, however this process ends.
    await rm(path);
    await file.writeFile(Buffer.alloc(bytesWanted, 1));
    await file.sync();
  } finally {
    await file.close();
  }
}

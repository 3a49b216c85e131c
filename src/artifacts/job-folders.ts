// The private folders of jobs. Each process has its own run folder under the work folder, with a lock beside it
// that ends with the process; a job's folder is in the run folder. What dead processes left is swept; what a living
// one has, in this machine or another container of it, is never touched, nor is anything that is not named like ours.
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../std/clock.js";
import { valueWithin } from "../std/ends-within.js";
import { codeOf, describeError } from "../std/errors.js";
import { killLeftovers } from "../std/leftovers.js";
import type { LockFile } from "../std/lock-file.js";
import { removeFolder } from "../std/remove-folder.js";
import { loadSqlite } from "../std/sqlite.js";
import { makeRunLock, takeRunLock } from "./run-lock.js";
import { openWorkDir, WorkDirError } from "./work-dir.js";

export interface JobFoldersOptions {
  /** Absolute. */
  readonly workDir: string;
  readonly clock: Clock;
  /** How long closing may wait for the disk; then the next start removes what is left. */
  readonly closeMaxMs: number;
  /** Called with what could not be removed or kept, a line each. */
  readonly onTrouble: (text: string) => void;
}

/** What a sweep found. */
export interface Swept {
  /** Run folders of dead processes that are gone now. */
  readonly removed: number;
  /** Those of living processes, ours not counted. */
  readonly living: number;
  /** What could not be removed; reported to `onTrouble`. */
  readonly failed: number;
}

interface Run {
  readonly folder: string;
  readonly lockPath: string;
  readonly lock: LockFile;
}

const runName = /^(run-[0-9a-f]{16})(\.lock)?$/;
/** Programs that clean temporary folders remove old files, commonly after 10 days: what we hold must never look old. */
const touchIntervalMs = 3_600_000;
/** Only a sweep that hits the same moment makes one fail. */
const attemptsMax = 5;

/** Makes and removes the folders of this process's jobs. */
export class JobFolders {
  readonly #options: JobFoldersOptions;
  readonly #sqlite: typeof import("node:sqlite");
  #run: Promise<Run>;
  #sweeping: Promise<Swept> | undefined;
  #cancelTouch = () => {};
  #isClosed = false;

  private constructor(options: JobFoldersOptions, sqlite: typeof import("node:sqlite"), run: Run) {
    this.#options = options;
    this.#sqlite = sqlite;
    this.#run = Promise.resolve(run);
    this.#touchLater();
  }

  /** Takes a run folder. Throws WorkDirError. */
  static async open(options: JobFoldersOptions): Promise<JobFolders> {
    const sqlite = loadSqlite();
    return new JobFolders(options, sqlite, await beginRun(options.workDir, sqlite));
  }

  /** Makes a new folder (0700); its name says nothing of the job and cannot be guessed. Throws. */
  async make(): Promise<string> {
    if (this.#isClosed) throw new Error("the daemon is stopping: no more job folders are created");
    const taken = this.#run;
    const run = await taken.catch(() => undefined);
    try {
      if (run !== undefined) return await makeJobFolder(run.folder);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
    // The run folder was removed, or all of the work folder, or a new one could not be made a moment ago; the first
    // that notices makes a new one for all.
    if (this.#run === taken) this.#run = this.#renewed(taken);
    return makeJobFolder((await this.#run).folder);
  }

  /** Removes a job's folder with all that is in it; one that is gone is fine. Throws. */
  async remove(folder: string): Promise<void> {
    await removeFolder(folder);
  }

  /**
   * Kills what commands of dead processes still do in their folders: a job that is run again must not meet its own
   * first run. Only what runs on this machine can be found. Never throws: failures are reported.
   */
  async killLeftovers(): Promise<void> {
    const { workDir, onTrouble } = this.#options;
    const own = (await this.#run).folder;
    try {
      for (const [name, hasLock] of await runsIn(workDir)) {
        const folder = join(workDir, name);
        const lock = hasLock && folder !== own ? takeRunLock(this.#sqlite, lockPathOf(folder)) : undefined;
        if (lock === undefined) continue;
        try {
          // PARTNERD_OUTCOME names the folder of every command.
          const killed = killLeftovers(`=${folder}/`);
          if (killed > 0) onTrouble(`killed ${killed} processes of a dead daemon that were still running in ${folder}`);
        } finally {
          lock.release();
        }
      }
    } catch (error) {
      onTrouble(`could not look for processes of dead daemons: ${describeError(error)}`);
    }
  }

  /** Removes what dead processes left. Never throws: failures are reported. */
  sweep(): Promise<Swept> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  /** Removes the run folder and whatever is left in it. Idempotent; never throws: failures are reported. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTouch();
    const { clock, closeMaxMs, onTrouble, workDir } = this.#options;
    if ((await valueWithin(this.#clear(), "late", { ms: closeMaxMs, clock })) === "late") {
      onTrouble(`${workDir} was not cleared in ${closeMaxMs} ms, the next start will try again`);
    }
  }

  async #clear(): Promise<void> {
    await this.#sweeping;
    const run = await this.#run.catch(() => undefined);
    if (run === undefined) return;
    try {
      await removeRun(run.folder, run.lockPath);
    } catch (error) {
      this.#options.onTrouble(`could not remove ${run.folder}, the next start will try: ${describeError(error)}`);
    } finally {
      run.lock.release();
    }
  }

  async #renewed(lost: Promise<Run>): Promise<Run> {
    const { workDir, onTrouble } = this.#options;
    const old = await lost.catch(() => undefined);
    const run = await beginRun(workDir, this.#sqlite);
    if (old === undefined) return run;
    onTrouble(`${old.folder} was removed while it was in use; jobs now get their folders in ${run.folder}`);
    await rm(old.lockPath, { force: true });
    old.lock.release();
    return run;
  }

  async #sweep(): Promise<Swept> {
    const { workDir, onTrouble } = this.#options;
    const swept = { removed: 0, living: 0, failed: 0 };
    const own = await this.#run.then(
      (run) => run.folder,
      () => undefined,
    );
    try {
      for (const [name, hasLock] of await runsIn(workDir)) {
        const folder = join(workDir, name);
        if (folder === own || this.#isClosed) continue;
        try {
          swept[await this.#sweepRun(folder, hasLock)]++;
        } catch (error) {
          swept.failed++;
          onTrouble(`could not remove ${folder}, which a dead process left behind: ${describeError(error)}`);
        }
      }
    } catch (error) {
      swept.failed++;
      onTrouble(`could not look for folders of dead processes in ${workDir}: ${describeError(error)}`);
    }
    return swept;
  }

  async #sweepRun(folder: string, hasLock: boolean): Promise<"removed" | "living"> {
    // A lock is made before its folder and removed after it: without one, something else was at work here.
    if (!hasLock)
      throw new Error(
        "its lock is missing, so its process may still be running; if it is not, remove the folder by hand",
      );
    const lockPath = lockPathOf(folder);
    const lock = takeRunLock(this.#sqlite, lockPath);
    if (lock === undefined) return "living";
    try {
      await removeRun(folder, lockPath);
      return "removed";
    } finally {
      lock.release();
    }
  }

  #touchLater(): void {
    this.#cancelTouch = this.#options.clock.after(touchIntervalMs, () => void this.#touch());
  }

  async #touch(): Promise<void> {
    const date = new Date(this.#options.clock.now());
    try {
      const { folder, lockPath } = await this.#run;
      await utimes(folder, date, date);
      await utimes(lockPath, date, date);
    } catch (error) {
      this.#options.onTrouble(`could not refresh the times of the jobs' folders: ${describeError(error)}`);
    }
    if (!this.#isClosed) this.#touchLater();
  }
}

async function makeJobFolder(run: string): Promise<string> {
  const folder = join(run, `job-${randomBytes(16).toString("hex")}`);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

/** Makes a run folder; its lock first, so that there is none without. Throws WorkDirError. */
async function beginRun(workDir: string, sqlite: typeof import("node:sqlite")): Promise<Run> {
  await openWorkDir(workDir);
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const folder = join(workDir, `run-${randomBytes(8).toString("hex")}`);
      const lockPath = lockPathOf(folder);
      const lock = makeRunLock(sqlite, lockPath);
      if (lock === undefined) continue;
      try {
        await mkdir(folder, { mode: 0o700 });
        return { folder, lockPath, lock };
      } catch (error) {
        await rm(lockPath, { force: true });
        lock.release();
        throw error;
      }
    }
  } catch (error) {
    const remedy = "set artifacts.workDir to a folder on a local disk that partnerd may write";
    throw new WorkDirError(workDir, `${describeError(error)}; ${remedy}`, error);
  }
  throw new WorkDirError(workDir, "no lock in it can be taken; set artifacts.workDir to a folder on a local disk");
}

/** Run folders and locks by the run's name, and whether there is a lock. */
async function runsIn(workDir: string): Promise<ReadonlyMap<string, boolean>> {
  const runs = new Map<string, boolean>();
  for (const name of await readdir(workDir)) {
    const [, run, lock] = runName.exec(name) ?? [];
    if (run !== undefined) runs.set(run, lock !== undefined || runs.get(run) === true);
  }
  return runs;
}

/** The folder first: as long as it is there, so is its lock. */
async function removeRun(folder: string, lockPath: string): Promise<void> {
  await removeFolder(folder);
  await rm(lockPath, { force: true });
}

function lockPathOf(folder: string): string {
  return `${folder}.lock`;
}

// The SQLite file of a ledger: opened, checked, read at start, written in transactions. Every call blocks until the
// disk has answered, so it lives in a thread of its own and must never be used on the one that serves jobs.
import { statSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { HistoryLimits } from "../../job/ended.js";
import { LedgerError } from "../ledger.js";
import { createPrivate } from "../private-file.js";
import { openingFault, writingFault } from "./sqlite-faults.js";
import { endedColumns, jobColumns, type Write } from "./sqlite-rows.js";
import { migrate, pragma, rollBack, versionOf } from "./sqlite-schema.js";

/** Waits so long for another program's lock, such as an operator's `sqlite3`, before a transaction fails. */
const busyTimeoutMs = 2_000;
/** The write-ahead log is folded into the file at this many pages of 4 KiB, and cut back to so many bytes. */
const walPages = 1_000;
const walMaxBytes = 8 * 1024 * 1024;
/** Ended rows are pruned once per so many ends, so that the cost per job is next to nothing. */
const endsPerPrune = 256;
/**
 * Rows that one prune takes at most. Jobs wait for it: a million rows, after a shorter history was configured or a long
 * rest, took 4 s at once. While more are left, the next prune comes sooner.
 */
const rowsPerPrune = 1_024;
const endsUntilMore = 16;
/** Free pages are reused; only more than this many are given back to the disk, a part at a time. */
const freePagesMax = 1_000;
const freePagesPerPrune = 500;

/**
 * The inode of the ledger file, a double; 0 before there is one. It is shared with the thread and written before the
 * file gets content: a thread that dies at any time leaves a successor that knows the file as ours.
 */
export type FileIdentity = SharedArrayBuffer;

export function newIdentity(): FileIdentity {
  return new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
}

export interface SqliteFileOptions {
  readonly path: string;
  /** How long a job that had a result is remembered. */
  readonly recentMs: number;
  /** How many of them at most. */
  readonly recentMax: number;
  /** How long, and how many, what ended is kept to be told of; absent: not at all. */
  readonly history?: HistoryLimits;
  /** Which file this process uses, once it has one; another one is refused unless it is empty. */
  readonly identity?: FileIdentity;
  /** The steps to the newest version. */
  readonly migrations: readonly string[];
}

/** What an earlier process left. */
export interface SqliteContents {
  readonly jobs: readonly Readonly<Record<string, unknown>>[];
  /** Oldest first. */
  readonly ended: readonly RememberedJob[];
}

/** A job that had a result. */
export interface RememberedJob {
  readonly region: string;
  readonly jobId: string;
  readonly account: string;
  readonly endedAtMs: number;
}

/** One open ledger file. */
export class SqliteFile {
  /** Names the file itself, whatever its path comes to mean. */
  readonly #inode: number;
  readonly #db: DatabaseSync;
  readonly #options: SqliteFileOptions;
  readonly #put: StatementSync;
  readonly #drop: StatementSync;
  readonly #end: StatementSync;
  #endsUntilPrune = 0;

  private constructor(db: DatabaseSync, inode: number, options: SqliteFileOptions) {
    this.#db = db;
    this.#options = options;
    this.#inode = inode;
    const changed = jobColumns.filter((column) => column !== "id").map((column) => `${column} = excluded.${column}`);
    this.#put = db.prepare(
      `INSERT INTO jobs (${jobColumns.join(", ")}) VALUES (${jobColumns.map(() => "?").join(", ")})
       ON CONFLICT (id) DO UPDATE SET ${changed.join(", ")}`,
    );
    this.#drop = db.prepare("DELETE FROM jobs WHERE id = ?");
    this.#end = db.prepare(
      `INSERT INTO ended (${endedColumns.join(", ")}) VALUES (${endedColumns.map(() => "?").join(", ")})`,
    );
  }

  /** Opens or creates the file, and proves that it can be written. Throws LedgerError. */
  static open(sqlite: typeof import("node:sqlite"), options: SqliteFileOptions): SqliteFile {
    const { path } = options;
    let db: DatabaseSync | undefined;
    try {
      createPrivate(path);
      const inode = claimed(options);
      db = new sqlite.DatabaseSync(path);
      db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA trusted_schema = OFF`);
      const version = versionOf(db, path, options.migrations.length);
      mustBeSound(db, path);
      makeDurable(db, path, version);
      migrate(db, version, options.migrations);
      return new SqliteFile(db, inode, options);
    } catch (error) {
      db?.close();
      throw openingFault(path, error);
    }
  }

  get path(): string {
    return this.#options.path;
  }

  /** What an earlier process left, oldest first. Throws LedgerError. */
  read(nowMs: number): SqliteContents {
    const { path, recentMs, recentMax } = this.#options;
    try {
      const jobs = this.#db.prepare(`SELECT ${jobColumns.join(", ")} FROM jobs ORDER BY id`).all();
      const ended = this.#db
        .prepare(
          "SELECT region, job_id, ended_at_ms, account FROM ended WHERE remembered AND ended_at_ms > ? ORDER BY id DESC LIMIT ?",
        )
        .all(nowMs - recentMs, recentMax)
        .map((row): RememberedJob => {
          const [region = "", jobId = "", account = ""] = ["region", "job_id", "account"].map((name) =>
            String(row[name]),
          );
          return { region, jobId, account, endedAtMs: Number(row["ended_at_ms"]) };
        });
      return { jobs, ended: ended.reverse() };
    } catch (error) {
      throw openingFault(path, error);
    }
  }

  /** Makes all of the writes durable, or none. Throws LedgerError. */
  commit(writes: readonly Write[]): void {
    try {
      this.#mustBeInPlace();
      this.#db.exec("BEGIN IMMEDIATE");
      for (const write of writes) this.#apply(write);
      if (this.#endsUntilPrune <= 0) this.#prune();
      this.#db.exec("COMMIT");
    } catch (error) {
      rollBack(this.#db);
      throw writingFault(this.#options.path, error);
    }
  }

  /** Folds the write-ahead log in and closes the file. */
  close(): void {
    this.#db.close();
  }

  #apply(write: Write): void {
    switch (write.type) {
      case "put":
        this.#put.run(...write.row);
        return;
      case "drop":
        this.#drop.run(write.id);
        return;
      case "end":
        this.#drop.run(write.id);
        this.#end.run(...write.row);
        this.#endsUntilPrune -= 1;
        return;
    }
  }

  /** Forgets what ended long ago, so that the file keeps its size however many jobs pass. */
  #prune(): void {
    const { recentMs, recentMax, history = { maxJobs: 0, maxAgeMs: 0 } } = this.#options;
    const newest = this.#db.prepare("SELECT id, ended_at_ms FROM ended ORDER BY id DESC LIMIT 1").get();
    let isDone = true;
    if (newest !== undefined) {
      const [id, endedAtMs] = [Number(newest["id"]), Number(newest["ended_at_ms"])];
      // By number and by age: ids and times grow together, so the look for the first young row is short.
      const before = (max: number, ageMs: number) => {
        const young = this.#db.prepare("SELECT id FROM ended WHERE id > ? AND ended_at_ms >= ? ORDER BY id LIMIT 1");
        return Number(young.get(id - max, endedAtMs - ageMs)?.["id"] ?? id + 1) - 1;
      };
      const untold = before(history.maxJobs, history.maxAgeMs);
      const isLonger = history.maxJobs >= recentMax && history.maxAgeMs >= recentMs;
      const forgotten = isLonger ? untold : Math.min(untold, before(recentMax, recentMs));
      const some = this.#upTo(forgotten, "TRUE");
      this.#db.prepare("DELETE FROM ended WHERE id <= ?").run(some);
      isDone = some >= forgotten;
      if (isDone && untold > forgotten) {
        const told = this.#upTo(untold, "history IS NOT NULL");
        this.#db.prepare("UPDATE ended SET history = NULL WHERE id <= ? AND history IS NOT NULL").run(told);
        isDone = told >= untold;
      }
    }
    if (pragma(this.#db, "freelist_count") > freePagesMax) {
      this.#db.exec(`PRAGMA incremental_vacuum(${freePagesPerPrune})`);
    }
    this.#endsUntilPrune = isDone ? endsPerPrune : endsUntilMore;
  }

  /** The last of the oldest rows like that which one prune may take; at most `last`. */
  #upTo(last: number, condition: string): number {
    const first = this.#db.prepare(`SELECT id FROM ended WHERE ${condition} ORDER BY id LIMIT 1`).get();
    return Math.min(last, Number(first?.["id"] ?? last) + rowsPerPrune - 1);
  }

  /** A file that was deleted takes writes without a fault, and loses them. The look costs 2 µs. */
  #mustBeInPlace(): void {
    const { path } = this.#options;
    if (statSync(path, { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw new LedgerError("unwritable", `the ledger ${path} was moved or deleted while in use`);
  }
}

/** A file that was put in place of ours may hold somebody else's debts: those must not be overwritten. */
function claimed({ path, identity = newIdentity() }: SqliteFileOptions): number {
  const known = new Float64Array(identity);
  const { ino, size } = statSync(path);
  if (known[0] !== 0 && known[0] !== ino && size > 0) {
    throw new LedgerError(
      "unwritable",
      `the ledger ${path} was replaced by another file while in use: put the old one back, or restart partnerd`,
    );
  }
  known[0] = ino;
  return ino;
}

function mustBeSound(db: DatabaseSync, path: string): void {
  const verdict = Object.values(db.prepare("PRAGMA quick_check(1)").get() ?? {})[0];
  if (verdict === "ok") return;
  throw new LedgerError(
    "unreadable",
    `the ledger ${path} is damaged (${String(verdict)}): the jobs in it cannot be read; move it and its -wal ` +
      "file away to start with an empty ledger",
  );
}

/** Write-ahead log, flushed to the disk at every commit. The order matters: auto_vacuum only takes on an empty file. */
function makeDurable(db: DatabaseSync, path: string, version: number): void {
  if (version === 0) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
  const mode = Object.values(db.prepare("PRAGMA journal_mode = WAL").get() ?? {})[0];
  if (mode !== "wal") {
    throw new LedgerError(
      "unwritable",
      `the ledger ${path} is on a disk without shared memory (a network share?), which SQLite's write-ahead log needs`,
    );
  }
  db.exec(
    `PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${walPages}; PRAGMA journal_size_limit = ${walMaxBytes}`,
  );
}

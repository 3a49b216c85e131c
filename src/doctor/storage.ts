// Where the daemon writes: the ledger, and the folders of jobs.
import { access, constants, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { refuseShared, WorkDirError } from "../artifacts/work-dir.js";
import { fleetToolsOf, ledgerOf } from "../compose/ledgers.js";
import type { PartsOptions } from "../compose/parts-options.js";
import { LedgerError } from "../ledger/ledger.js";
import { onlyNameOf } from "../ledger/sqlite/file-name.js";
import { fileSystemRisk } from "../ledger/sqlite/file-system.js";
import { describeError } from "../std/errors.js";
import { checkLedgerClient } from "./builds.js";
import type { Finding } from "./finding.js";

/** Whether it can be written, and is as durable as it seems. */
export async function ledger(options: PartsOptions): Promise<readonly Finding[]> {
  const { config } = options;
  const subject = "ledger";
  switch (config.ledger.store) {
    case "memory": {
      const message = "in memory: when the process ends, its jobs are lost and customers' pipelines hang";
      return [{ subject, verdict: "warning", message, remedy: "write ledger: { store: sqlite } or dynamodb" }];
    }
    case "sqlite":
      return [await sqliteFinding(options, config.ledger.path)];
    case "dynamodb": {
      return tableFindings(options, config.ledger.table);
    }
  }
}

async function tableFindings(options: PartsOptions, table: string): Promise<readonly Finding[]> {
  const [missing] = await checkLedgerClient(options);
  const subject = "ledger";
  if (missing !== undefined) {
    return [{ subject, verdict: "failed", message: missing, remedy: "install it where partnerd itself is installed" }];
  }
  const remedy = "partnerd ledger-table prints the right definition; partnerd iam-policy the permissions";
  const findings = await lookAtTable(options);
  if (findings.length === 0) return [{ subject, verdict: "ok", message: `the table ${table} is correct` }];
  return findings.map(({ isFatal, message }) => ({
    subject,
    verdict: isFatal ? "failed" : "warning",
    message,
    remedy,
  }));
}

async function lookAtTable(options: PartsOptions) {
  try {
    const fleet = await fleetToolsOf(options);
    try {
      return await fleet.check();
    } finally {
      fleet.close();
    }
  } catch (error) {
    return [{ isFatal: true, message: describeError(error) }];
  }
}

async function sqliteFinding(options: PartsOptions, path: string): Promise<Finding> {
  const subject = "ledger";
  try {
    const opened = await ledgerOf(options);
    const { writable, reason } = opened.health();
    await opened.close();
    if (!writable) return { subject, verdict: "failed", message: `${path}: ${reason}`, remedy: "fix the disk" };
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    if (error.code !== "locked") {
      return {
        subject,
        verdict: "failed",
        message: error.message,
        remedy: "fix the file or its folder",
      };
    }
    return { subject, verdict: "ok", message: `in use by a running daemon: ${error.message}` };
  }
  const { type } = await statfs(dirname(onlyNameOf(path)));
  const risk = fileSystemRisk(type);
  if (risk) return { subject, verdict: "warning", message: `${path} is writable, but ${risk.what}`, remedy: risk.fix };
  return { subject, verdict: "ok", message: `${path} is writable and durable` };
}

/** What job folders may need; a disk below this is full in a moment. */
const freeMinBytes = 1024 ** 3;

/** Whether there is a place for jobs' folders, and room in it. */
export async function workDir({ config }: PartsOptions): Promise<readonly Finding[]> {
  const { workDir: path } = config.artifacts;
  const subject = "job folders";
  try {
    const place = await nearest(path);
    const stats = await stat(place);
    if (!stats.isDirectory()) throw new Error(`${place} is not a folder`);
    await access(place, constants.W_OK | constants.X_OK);
    // Only of what is there: the rest the daemon makes so that it is its own.
    if (place === path) refuseShared(path, stats.mode);
    const { bavail, bsize } = await statfs(place);
    const free = bavail * bsize;
    const message = `${path} is writable, ${Math.round(free / 1024 ** 2)} MiB free`;
    if (free >= freeMinBytes) return [{ subject, verdict: "ok", message }];
    return [{ subject, verdict: "warning", message, remedy: "free disk space, or set another artifacts.workDir" }];
  } catch (error) {
    const message = error instanceof WorkDirError ? error.message : `${path} is not writable: ${describeError(error)}`;
    return [
      {
        subject,
        verdict: "failed",
        message,
        remedy: "make it writable for partnerd only, or set another artifacts.workDir",
      },
    ];
  }
}

/** The folder itself or the nearest one above it that exists: the daemon makes the rest. */
async function nearest(path: string): Promise<string> {
  try {
    await access(path);
    return path;
  } catch (error) {
    const above = dirname(path);
    if (above === path) throw error;
    return nearest(above);
  }
}

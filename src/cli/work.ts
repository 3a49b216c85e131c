// What `partnerd run` and `partnerd once` share: a configuration becomes a daemon, signals become stops, ends become exit codes.

import { Daemon, type DaemonOptions } from "../compose/daemon.js";
import type { Config } from "../config/config.js";
import type { WorkerEnd } from "../engine/engine.js";
import type { WorkerEvent } from "../engine/events.js";
import { placeText } from "../job/job.js";
import { systemClock } from "../std/clock.js";
import { describeError } from "../std/errors.js";
import { setHeapFlags } from "../std/heap-flags.js";
import { createLog, type Log, type RootLog } from "../std/log.js";
import { openLogOutput } from "../std/log-output.js";
import { Masker } from "../std/masking.js";
import { ownVersion } from "../std/version.js";
import { listenWhileStarting } from "./early-stop.js";
import { codeOfEnd, exitCodes } from "./exit-codes.js";
import { listenForStops } from "./stops.js";
import { SystemdReports } from "./systemd-reports.js";

export interface RunOptions {
  readonly config: Config;
  /** Reads the configuration again, for SIGHUP; `warn` is called with what is doubtful. Throws what is wrong with it. */
  readonly reread: (warn: (message: string) => void) => Promise<Config>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Runs until it is stopped, or for so long. The exit code: 0, 1, 70 or 75. */
export async function run(options: RunOptions, exitAfterMs?: number): Promise<number> {
  return withDaemon(options, 1, async (daemon, log) => {
    if (exitAfterMs === undefined) return daemon.run();
    const cancel = systemClock.after(exitAfterMs, () => {
      const uptimeMs = exitAfterMs;
      log.info("uptime-reached", { uptimeMs }, "the time of --exit-after-uptime has passed: stopping");
      void daemon.worker.stop();
    });
    try {
      return await daemon.run();
    } finally {
      cancel();
    }
  });
}

export interface OnceOptions extends RunOptions {
  /** Goes on until polls have brought nothing for so long. */
  readonly waitMs: number;
  readonly maxJobs: number;
  /** Exit 3 when a job failed. */
  readonly jobOutcomeStatus: boolean;
}

type WorkerClosed = Daemon["worker"]["closedBy"];

/** One pass over every action type. The exit code: 0, 1 when a poll failed to the end or none could be made, 3, 70 or 75. */
export async function once(options: OnceOptions): Promise<number> {
  let failed = 0;
  let failing: readonly string[] = [];
  let closed: WorkerClosed;
  const count = (event: WorkerEvent) => {
    if (event.type === "job-reported" && event.outcome.kind === "failed") failed += 1;
  };
  const code = await withDaemon(
    options,
    2,
    async (daemon) => {
      const pass = daemon.worker.once({ idleEndMs: options.waitMs, maxJobs: options.maxJobs });
      // A stop does not wait for a pass that never ends.
      await Promise.race([pass, daemon.worker.ended]);
      failing = daemon
        .status()
        .pollers.filter(({ failures }) => failures > 0)
        .map(({ actionType, query, ...place }) => `${actionType}${query ? ` (${query})` : ""} in ${placeText(place)}`);
      closed = daemon.worker.closedBy;
      return daemon.worker.stop();
    },
    [count],
  );
  if (code !== exitCodes.ok) return code;
  if (failing.length > 0) {
    process.stderr.write(`exit 1: could not be polled: ${failing.join(", ")}; see the lines above\n`);
    return exitCodes.failed;
  }
  // A pause and a stop are meant, by whoever asked for them.
  if (closed && closed.reason !== "paused" && closed.reason !== "draining") {
    process.stderr.write(`exit 1: no job could be accepted: ${closed.message}\n`);
    return exitCodes.failed;
  }
  return options.jobOutcomeStatus && failed > 0 ? exitCodes.jobFailed : exitCodes.ok;
}

type Work = (daemon: Daemon, log: Log) => Promise<WorkerEnd>;

async function withDaemon(
  options: RunOptions,
  logTo: 1 | 2,
  work: Work,
  observers: readonly ((event: WorkerEvent) => void)[] = [],
): Promise<number> {
  const { config } = options;
  const masker = new Masker();
  const log = createLog({ ...config.log, masker, destination: openLogOutput(logTo, options.environment) });
  try {
    return await wired(options, log, masker, work, observers);
  } finally {
    // The last line of a stop is the last: what an abandoned start or handler still does is not logged.
    log.setLevel("silent");
  }
}

async function wired(
  options: RunOptions,
  log: RootLog,
  masker: Masker,
  work: Work,
  observers: readonly ((event: WorkerEvent) => void)[],
): Promise<number> {
  const { config, environment } = options;
  // Before the first line: who reads it may send a signal.
  const starting = listenWhileStarting(log, config);
  log.info("starting", { version: ownVersion(), node: process.versions.node }, "partnerd is starting");
  const { readyWaitMs } = config.systemd;
  const systemd = new SystemdReports({ environment, pid: process.pid, clock: systemClock, log, readyWaitMs });
  const readers = [...observers, (event: WorkerEvent) => systemd.observe(event), atFirstPoll(() => setHeapFlags())];
  const { onLedger } = starting;
  const building = built({ config, log, masker, clock: systemClock, environment, observers: readers, onLedger });
  const daemon = await Promise.race([building, starting.stopped]);
  if (typeof daemon !== "number") return attended(options, { log, daemon, systemd, starting }, work);
  starting.close();
  return daemon;
}

/** Calls once, when the first poll is over: what a start loads is loaded. */
function atFirstPoll(act: () => void): (event: WorkerEvent) => void {
  let isDone = false;
  return ({ type }) => {
    if (isDone || (type !== "poll-finished" && type !== "poll-failed")) return;
    isDone = true;
    act();
  };
}

/** A daemon that was built, and what runs beside it. */
interface Attended {
  readonly log: Log;
  readonly daemon: Daemon;
  readonly systemd: SystemdReports;
  readonly starting: ReturnType<typeof listenWhileStarting>;
}

async function attended(
  options: RunOptions,
  { log, daemon, systemd, starting }: Attended,
  work: Work,
): Promise<number> {
  const strays = catchStrays(options.config, log, daemon);
  process.once("exit", notEndedInOrder);
  const reread = async () => {
    const next = await options.reread((message) =>
      log.warn("reload-warning", {}, `reloading the configuration: ${message}`),
    );
    strays.expectFrom(next);
    return next;
  };
  const reload = () => void systemd.reloading(() => daemon.reload(reread));
  const atOnce = Promise.withResolvers<void>();
  const stops = listenForStops({
    clock: systemClock,
    onDrain: (signal) => {
      log.info("stop-requested", { signal }, `received ${signal}: stopping`);
      void daemon.worker.stop();
    },
    onHurry: (signal) => daemon.worker.hurry(`a second ${signal}`),
    onAtOnce: (signal) => {
      daemon.stopNow(`a third ${signal}`);
      log.warn("stop-forced", { signal }, `received a third ${signal}: killed running commands; exiting immediately`);
      atOnce.resolve();
    },
    onDump: () => daemon.dump(),
    onReload: reload,
  });
  starting.close();
  systemd.begin(daemon);
  try {
    const working = work(daemon, log);
    if (starting.isReloadWanted()) reload();
    const end = await Promise.race([working, atOnce.promise.then(() => daemon.worker.stop())]);
    await daemon.close();
    if (end.isBroken || strays.isBug()) return exitCodes.bug;
    return codeOfEnd(end);
  } catch (error) {
    log.error("fatal-error", { err: error }, `fatal error: ${describeError(error)}`);
    await daemon.worker.stop();
    await daemon.close();
    return exitCodes.failed;
  } finally {
    await systemd.close();
    stops.close();
    strays.close();
    process.off("exit", notEndedInOrder);
  }
}

/** The daemon; or the exit code 1 after it was said why there is none. */
async function built(options: DaemonOptions): Promise<Daemon | number> {
  try {
    return await Daemon.build(options);
  } catch (error) {
    options.log.error("start-failed", {}, `could not start: ${describeError(error)}`);
    return exitCodes.failed;
  }
}

/**
 * What is thrown outside of any promise that somebody waits for. Where module handlers run, it is most likely one
 * of them (a forgotten await, a throw in a timer), and no reason to hurt other jobs. Where none does it is a bug of
 * ours: what runs is brought to its end, and then the process.
 */
function catchStrays(config: Config, log: Log, daemon: Daemon) {
  let hasModules = runsModules(config);
  let isBug = false;
  const onStray = (error: unknown) => {
    const stack = error instanceof Error ? (error.stack ?? "") : "";
    const what = `unhandled error: ${describeError(error)}`;
    if (hasModules) {
      const message = `${what}; most likely a module handler forgot an await; its job continues`;
      log.error("unhandled-error", { stack }, message);
      return;
    }
    isBug = true;
    log.error("internal-error", { stack }, `internal error: ${what}; draining; please report it`);
    void daemon.worker.stop();
  };
  process.on("unhandledRejection", onStray);
  process.on("uncaughtException", onStray);
  return {
    isBug: () => isBug,
    /** Modules that were loaded once, and be it to check them, may throw as long as the process lives. */
    expectFrom: (next: Config) => {
      hasModules ||= runsModules(next);
    },
    close: () => {
      process.off("unhandledRejection", onStray);
      process.off("uncaughtException", onStray);
    },
  };
}

/** Whether a partner's code runs in this thread. */
function runsModules({ handlers }: Config): boolean {
  return Object.values(handlers).some((each) => each.kind === "module" && each.isolation === "none");
}

/** A module in this thread may end the process; what supervises it must not take that for a stop in order. */
function notEndedInOrder(): void {
  process.exitCode = exitCodes.owed;
  process.stderr.write(
    "partnerd: something in this process called process.exit(), most likely a module handler with isolation: none; " +
      "running jobs stay in the ledger, and the next start continues them\n",
  );
}

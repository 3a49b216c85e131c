// What systemd is notified of: ready, at work on what, reloading, stopping, and that the loops run.
// Each message says the whole state, and is repeated, so that none that is lost matters. No AWS trouble withholds a
// sign of life: a restart fixes none of it.
import type { Daemon } from "../compose/daemon.js";
import type { WorkerEvent } from "../engine/events.js";
import type { Clock } from "../std/clock.js";
import type { Log } from "../std/log.js";
import { isSystemdListening, type Message, monotonicUsec, SystemdNotifier, watchdogMsOf } from "../std/systemd.js";

export interface SystemdOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly clock: Clock;
  readonly log: Pick<Log, "info" | "error">;
  /** How long the first good poll is waited for before systemd is notified that the daemon is ready all the same. */
  readonly readyWaitMs: number;
  /** By default the program `systemd-notify`. */
  readonly notifier?: Pick<SystemdNotifier, "send" | "flushed">;
}

/** The part of a daemon that is reported to systemd. */
export type ReportedDaemon = Pick<Daemon, "live" | "status">;

/** How often the state is looked at; often enough for any watchdog, too. */
const lookMs = 10_000;
/** Three signs of life for each time that systemd waits: one may be late and one lost. */
const signsPerWatchdog = 3;
/** A start or stop may take so much longer whenever it is seen to continue: several looks, so that a late one is no harm. */
const extensionMs = 40_000;
/** What has not changed is said again after so long, in case it was lost. */
const repeatMs = 60_000;
const sendTimeoutMs = 10_000;
/** At the end the last message is waited for so long. */
const closeWaitMs = 1_000;

/** Tells systemd, when there is one that listens. */
export class SystemdReports {
  readonly #options: SystemdOptions;
  readonly #notifier: Pick<SystemdNotifier, "send" | "flushed"> | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #lookMs: number;
  #daemon: ReportedDaemon | undefined;
  #phase: "starting" | "ready" | "stopping" = "starting";
  #reloads = 0;
  #isWithheld = false;
  #last = "";
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #lastSignMs = Number.NEGATIVE_INFINITY;
  #cancels: (() => void)[] = [];

  constructor(options: SystemdOptions) {
    this.#options = options;
    const { environment, pid, log } = options;
    if (!isSystemdListening(environment)) {
      this.#lookMs = lookMs;
      return;
    }
    this.#watchdogMs = watchdogMsOf(environment, pid);
    this.#lookMs = Math.min(lookMs, (this.#watchdogMs ?? Number.POSITIVE_INFINITY) / signsPerWatchdog);
    this.#notifier =
      options.notifier ??
      new SystemdNotifier({
        environment,
        timeoutMs: sendTimeoutMs,
        onFault: (message) => log.error("systemd-failed", {}, `cannot notify systemd: ${message}`),
        onRecovered: () => log.info("systemd-restored", {}, "can notify systemd again"),
      });
  }

  /** Begins to report this daemon; it is ready at its first good poll, or after the wait. */
  begin(daemon: ReportedDaemon): void {
    if (!this.#notifier) return;
    this.#daemon = daemon;
    const { clock, readyWaitMs } = this.#options;
    const look = () => {
      this.#tell();
      this.#cancels[0] = clock.after(this.#lookMs, look);
    };
    this.#cancels = [() => {}, clock.after(readyWaitMs, () => this.#ready())];
    look();
  }

  /** Reads the engine's events. */
  observe(event: WorkerEvent): void {
    if (event.type === "poll-finished") this.#ready();
    if (event.type === "drain-started") this.#enter("stopping");
  }

  /** Reports a reload while it runs, and its end, however it ended. */
  async reloading(reload: () => Promise<void>): Promise<void> {
    this.#reloads += 1;
    if (this.#reloads === 1) this.#tell();
    try {
      await reload();
    } finally {
      this.#reloads -= 1;
      if (this.#reloads === 0) this.#tell();
    }
  }

  /** Ends it all; waits a little for what is under way. */
  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    this.#daemon = undefined;
    const over = new AbortController();
    const flushed = this.#notifier?.flushed().finally(() => over.abort());
    if (flushed) await Promise.race([flushed, this.#options.clock.sleep(closeWaitMs, over.signal)]);
  }

  #ready(): void {
    if (this.#phase === "starting") this.#enter("ready");
  }

  #enter(phase: "ready" | "stopping"): void {
    this.#phase = phase;
    this.#tell();
  }

  /** Sends the state, if it says anything new or a sign of life is due. */
  #tell(): void {
    if (!this.#notifier || !this.#daemon) return;
    const status = this.#daemon.status();
    const state: Message = { ...this.#state(), STATUS: statusText(status) };
    const text = JSON.stringify(state);
    const isReloading = "RELOADING" in state;
    const signs = this.#signs();
    const nowMs = this.#options.clock.monotonic();
    const isDue = Object.keys(signs).length > 0 || nowMs - this.#lastSentMs >= repeatMs;
    if (text === this.#last && !isDue) return;
    this.#last = text;
    this.#lastSentMs = nowMs;
    // The time makes each reload another one for systemd.
    this.#notifier.send({ ...state, ...(isReloading ? { MONOTONIC_USEC: monotonicUsec() } : {}), ...signs });
  }

  #state(): Message {
    switch (this.#phase) {
      case "starting":
        return {};
      case "ready":
        return this.#reloads > 0 ? { RELOADING: "1" } : { READY: "1" };
      case "stopping":
        return { STOPPING: "1" };
    }
  }

  /** What must be said again and again. A process that is stuck cannot, and so is found out. */
  #signs(): Message {
    // Our own limits end a start and a stop; the unit's limit need not be as long as they are together.
    const extension = this.#phase === "ready" ? {} : { EXTEND_TIMEOUT_USEC: String(extensionMs * 1_000) };
    if (this.#watchdogMs === undefined || this.#phase === "starting") return extension;
    // Looks come at this pace or oftener; a little early is no harm.
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#lastSignMs < (this.#watchdogMs / signsPerWatchdog) * 0.9) return extension;
    const { live, reasons } = this.#daemon?.live() ?? { live: false, reasons: [] };
    if (live) {
      this.#isWithheld = false;
      this.#lastSignMs = nowMs;
      return { ...extension, WATCHDOG: "1" };
    }
    if (!this.#isWithheld) {
      const why = reasons.map(({ message }) => message).join("; ");
      const message = `withholding the watchdog notification; systemd will restart partnerd: ${why}`;
      this.#options.log.error("watchdog-withheld", {}, message);
    }
    this.#isWithheld = true;
    return extension;
  }
}

/** One line for `systemctl status`. No secret, no id: every user of the machine may read it. */
export function statusText(status: ReturnType<ReportedDaemon["status"]>): string {
  const { slots, jobs, pollers } = status;
  const owed = jobs.filter(({ state }) => state === "settled").length;
  const unpolled = pollers.filter(({ lastGoodPollAtMs }) => lastGoodPollAtMs === undefined).length;
  const failing = pollers.filter(({ failures }) => failures > 0);
  const mode = status.isDraining
    ? "draining"
    : status.isPaused
      ? "paused"
      : status.fleet?.pause
        ? "fleet paused"
        : "polling";
  const fault = failing.find(({ lastFault }) => lastFault)?.lastFault;
  const parts = [
    `${mode}: ${slots.busy} of ${slots.max} slots busy`,
    `${owed} ${owed === 1 ? "result" : "results"} owed`,
    failing.length > 0 ? `${failing.length} of ${pollers.length} pollers fail${fault ? ` (${fault.code})` : ""}` : "",
    failing.length === 0 && unpolled > 0 ? `${unpolled} of ${pollers.length} pollers have no answer yet` : "",
  ];
  return parts.filter(Boolean).join(", ");
}

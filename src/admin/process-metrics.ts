// What the process itself costs, and how late its event loop runs. Holds one timer of Node's own until it is closed.
import { readdirSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "../std/clock.js";
import type { Family } from "./exposition.js";

/** How often the loop's lateness is measured: fine enough for what hurts a job, ten wake-ups a second. */
const resolutionMs = 100;
/** Lateness covers at least this long, so that two scrapers do not take it from each other. */
const windowMs = 60_000;

/** Reads the process's own figures. */
export class ProcessMetrics {
  readonly #clock: Clock;
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #startedAtS: number;
  #windowSinceMs: number;
  #earlier = { p99: 0, max: 0 };

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
    this.#startedAtS = (options.clock.now() - performance.now()) / 1_000;
    this.#windowSinceMs = options.clock.monotonic();
    this.#delay.enable();
  }

  families(): readonly Family[] {
    const { user, system } = process.cpuUsage();
    const memory = process.memoryUsage();
    const late = this.#lateness();
    const files = openFiles();
    return [
      one("counter", "partnerd_process_cpu_seconds_total", "CPU time used.", (user + system) / 1e6),
      one("gauge", "partnerd_process_resident_memory_bytes", "Memory held.", memory.rss),
      one("gauge", "partnerd_process_heap_used_bytes", "JavaScript heap in use.", memory.heapUsed),
      one("gauge", "partnerd_process_start_time_seconds", "Start, since the epoch.", this.#startedAtS),
      ...(files === undefined ? [] : [one("gauge", "partnerd_process_open_fds", "Open files and sockets.", files)]),
      one("gauge", "partnerd_event_loop_delay_p99_seconds", "99th percentile of the last minutes.", late.p99),
      one("gauge", "partnerd_event_loop_delay_max_seconds", "Maximum of the last minutes.", late.max),
    ];
  }

  close(): void {
    this.#delay.disable();
  }

  #lateness(): { readonly p99: number; readonly max: number } {
    const now = { p99: seconds(this.#delay.percentile(99)), max: seconds(this.#delay.max) };
    const told = { p99: Math.max(now.p99, this.#earlier.p99), max: Math.max(now.max, this.#earlier.max) };
    if (this.#clock.monotonic() - this.#windowSinceMs >= windowMs) {
      this.#windowSinceMs = this.#clock.monotonic();
      this.#earlier = now;
      this.#delay.reset();
    }
    return told;
  }
}

/** What Node measures is the time between two looks, of which the rest between them is no lateness. */
function seconds(nanoseconds: number): number {
  const late = nanoseconds / 1e9 - resolutionMs / 1e3;
  return Number.isFinite(late) ? Math.max(0, late) : 0;
}

function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}

function one(type: Family["type"], name: string, help: string, value: number): Family {
  return { name, type, help, samples: [{ suffix: "", labels: {}, value }] };
}

// Preloaded into a daemon under measurement (`--import`): tells how late its event loop runs, while it is asked to.
// JavaScript, and next to nothing before it is asked: it must not show in the memory that is measured.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** Fine enough for 20 ms; a hundred looks a second. */
const resolutionMs = 10;

if (isMainThread && process.send) {
  let delay;
  const late = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  process.on("message", (message) => {
    if (message === "watch-loop") {
      delay = monitorEventLoopDelay({ resolution: resolutionMs });
      delay.enable();
    }
    if (message === "how-late" && delay) {
      delay.disable();
      // What Node measures is the time between two looks, of which the rest between them is no lateness.
      process.send({ p50Ms: late(delay.percentile(50)), p99Ms: late(delay.percentile(99)), maxMs: late(delay.max) });
    }
  });
  // It must not keep the daemon alive.
  process.channel.unref();
}

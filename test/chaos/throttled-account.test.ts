// Promise: an account that CodePipeline throttles gets done what the limit allows, its results first, and is let go when
// the throttling ends. The whole engine in virtual time over the virtual service; prints what it saw.
import { expect, it } from "vitest";
import { build, scan, virtualWorker } from "./virtual-worker.js";

const seed = Number(process.env["PARTNERD_SEED"] ?? 20_260_101);
const callsPerJob = 3;

it.each([5, 20])(
  "works what %d calls a second allow, and no result is late",
  async (callsPerSecond) => {
    const { clock, service, worker, events, stop } = virtualWorker({
      seed,
      handle: async () => {
        await clock.sleep(5_000);
        return { kind: "succeeded" };
      },
    });
    Object.assign(service, { latencyMs: 50, callsPerSecond });
    const count = 60 * callsPerSecond;
    for (let index = 0; index < count; index++) service.addJob(index % 2 === 0 ? scan : build, `job-${index}`);
    await worker.start();
    const startMs = clock.monotonic();
    while (!service.isAllOver && clock.monotonic() - startMs < 1_000_000) await clock.advance(1_000);
    expect(service.isAllOver).toBe(true);
    const seconds = (clock.monotonic() - startMs) / 1_000;
    const owedMs = events.flatMap((event) => (event.type === "job-reported" ? [event.owedMs] : []));
    const answered = service.calls.filter(({ answer }) => answer === "answered").length;
    const polls = service.calls.filter(({ operation }) => operation === "poll").length;
    const share = (count * callsPerJob) / callsPerSecond / seconds;
    const lost = events.filter(({ type }) => type === "job-dropped").length;
    console.log(
      `${callsPerSecond} calls/s: ${count} jobs in ${seconds} s, ${share.toFixed(2)} of what 3 calls a job allow;`,
      `${polls} polls, ${service.calls.length - answered} of ${service.calls.length} calls throttled, ${lost} offers lost;`,
      `results owed for ${Math.round(Math.max(...owedMs))} ms at most`,
    );
    expect(share).toBeGreaterThanOrEqual(0.9);
    expect(Math.max(...owedMs)).toBeLessThanOrEqual(30_000);
    expect(service.jobs.every(({ results }) => results.length === 1)).toBe(true);
    expect(worker.callLimits).toHaveLength(1);
    service.callsPerSecond = Number.POSITIVE_INFINITY;
    await clock.advance(600_000);
    expect(worker.callLimits).toEqual([]);
    expect(events.filter(({ type }) => type === "calls-limited" || type === "calls-unlimited")).toHaveLength(2);
    await stop();
  },
  120_000,
);

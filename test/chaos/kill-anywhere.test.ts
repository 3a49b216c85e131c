// Promise: wherever the daemon is killed, the next start ends every job with exactly one result. The small size of
// `npm run chaos`; KILL_POINTS makes it larger, KILL_SEED plays one again.
import { expect, it } from "vitest";
import { killAnywhere } from "./kill-anywhere-runs.js";

const points = Number(process.env["KILL_POINTS"] ?? 12);
const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** A kill costs a start; two daemons run at a time, on cores that others use too. */
const limitMs = 60_000 + points * 5_000;

it(`ends every job with exactly one result when daemons are killed at ${points} points, seed ${seed}`, {
  timeout: limitMs,
}, async () => {
  const report = await killAnywhere({ points, seed });
  console.log(
    `${report.kills} kills at ${report.places.size} places in ${report.runs} runs, ${report.jobs} jobs, ` +
      `${report.callbacks} by callback, seed ${seed}`,
  );
  expect(report.breaches).toEqual([]);
  expect(report.kills).toBe(points);
});

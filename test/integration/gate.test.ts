// Promise: whatever closes the gate while a slot is waited for keeps new jobs away, one or a whole refill, until it ends;
// jobs that run are none of its business. A disk is full when the system says so.
import { mkdirSync, renameSync } from "node:fs";
import fs from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { otherLimits } from "../support/artifact-limits.js";
import { replaced } from "../support/replaced.js";
import { custom, Gate, type Rig, startRig, thirdParty } from "../support/rig.js";

const disk = { isFull: false, fullLooks: 0 };
const putBack = replaced(fs, "statfs", (real) => {
  const statfs = async (path: string) => {
    const found = await real(path);
    if (!disk.isFull) return found;
    disk.fullLooks += 1;
    return { ...found, bavail: 0 };
  };
  return statfs as typeof real;
});
afterAll(putBack);
afterEach(() => {
  disk.isFull = false;
});

/** Closes the gate; the returned function opens it. */
const closings: Readonly<Record<string, (rig: Rig) => Promise<() => void>>> = {
  "a pause": async ({ daemon }) => {
    daemon.worker.pause();
    return () => daemon.worker.resume();
  },
  "a full disk": async () => {
    Object.assign(disk, { isFull: true, fullLooks: 0 });
    // The second look begins when the first has been heard of.
    await vi.waitFor(() => expect(disk.fullLooks).toBeGreaterThan(1), { timeout: 25_000, interval: 20 });
    return () => {
      disk.isFull = false;
    };
  },
  "a ledger that cannot be written": async ({ folder }) => {
    const place = join(folder, "disk");
    renameSync(place, `${place}.away`);
    return () => renameSync(`${place}.away`, place);
  },
};

const sizes = { maxArchiveBytes: 1e9, maxExtractedBytes: 1e9, maxEntries: 1e5 };
const limits = { ...sizes, ...otherLimits, requestTimeoutMs: 5_000 };

/** Every slot works, and as many jobs wait. */
async function full(actionType: typeof thirdParty | typeof custom, slots: number) {
  const gate = new Gate();
  const rig = await startRig({
    actionTypes: [actionType],
    handle: async () => {
      await gate.enter();
      return { kind: "succeeded" };
    },
    inFolder: (folder) => {
      mkdirSync(join(folder, "disk"));
      return {
        ledger: { store: "sqlite", path: join(folder, "disk", "ledger.db") },
        artifacts: { ...limits, workDir: join(folder, "work"), minFreeBytes: 1 },
      };
    },
    config: { worker: { maxConcurrentJobs: slots } },
  });
  const add = () => Array.from({ length: slots }, () => rig.emulator.addJob({ actionType }));
  const running = add();
  await gate.waiting(slots);
  await steps(rig, "waiting-for-slot");
  const waiting = add();
  const ended = (ids: readonly string[]) => Promise.all(ids.map((id) => rig.emulator.waitForJob(id, "over")));
  const offers = () => waiting.map((id) => rig.emulator.job(id)?.counts.offers);
  return { rig, gate, running, waiting, ended, offers, none: waiting.map(() => 0) };
}

const slotFree = { timeout: 20_000, interval: 5 };

/** Resolves when the poller is at this step. */
async function steps(rig: Rig, doing: string): Promise<void> {
  const isSo = () => expect(rig.daemon.worker.loops.map((loop) => loop.doing)).toEqual([doing]);
  await vi.waitFor(isSo, { timeout: 20_000, interval: 5 });
}

describe.each([
  [1, thirdParty],
  [5, custom],
] as const)("with all slots at work, %i of them", (slots, actionType) => {
  it.each(Object.entries(closings))(
    "takes no job that waits after %s, and all when that ends",
    async (_what, close) => {
      const { rig, gate, running, waiting, ended, offers, none } = await full(actionType, slots);
      await using _ = rig;
      const open = await close(rig);
      gate.release(slots);
      await ended(running);
      await steps(rig, "at-gate");
      // CodePipeline has a result a moment before its slot is free; a job that was taken would keep one.
      await vi.waitFor(() => expect([offers(), rig.daemon.worker.slots.busy]).toEqual([none, 0]), slotFree);
      open();
      await gate.waiting(slots);
      gate.release(slots);
      const jobs = await ended(waiting);
      expect(jobs.map(({ status }) => status)).toEqual(waiting.map(() => "Succeeded"));
    },
  );

  it("takes no job that waits once it drains", async () => {
    const { rig, gate, running, ended, offers, none } = await full(actionType, slots);
    await using _ = rig;
    const stopped = rig.stop();
    gate.release(slots);
    const jobs = await ended(running);
    expect(jobs.map(({ status }) => status)).toEqual(running.map(() => "Succeeded"));
    expect([await stopped, offers()]).toMatchObject([{ owed: 0, isBroken: false }, none]);
  });
});

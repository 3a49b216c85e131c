// Promise: a large zip is unpacked while it arrives, since its directory is fetched first; and whatever befalls either
// request, what the handler gets is the object as it lies in S3, verified, or nothing.
import { randomBytes } from "node:crypto";
import { existsSync, globSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { zip } from "../support/archives.js";
import { type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

const first = randomBytes(1_000_000);
const rest = randomBytes(9_000_000);
const bytes = zip([
  { name: "first.bin", content: first },
  { name: "rest.bin", content: rest, method: 0 },
]);
/** As a file: text of this size takes its time to be checked, for each job. */
const folder = mkdtempSync(join(tmpdir(), "partnerd-overlap-"));
const source = { name: "Source", file: join(folder, "source.zip") };
writeFileSync(source.file, bytes);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Hands over to the test what was unpacked. */
async function rigWith(options: RigOptions = {}) {
  const seen: Buffer[] = [];
  const handle = async (job: HandlerJob) => {
    const folder = await job.input("Source");
    for (const name of readdirSync(folder).sort()) seen.push(await readFile(join(folder, name)));
    return { kind: "succeeded" };
  };
  const rig = await startRig({ isHeld: true, handle, ...options });
  return { rig, seen };
}

async function leavesNothing(rig: Rig): Promise<void> {
  await rig.stop();
  const { workDir } = rig.config.artifacts;
  expect(existsSync(workDir) ? readdirSync(workDir) : []).toEqual([]);
}

describe("a large zip", () => {
  it("has its first entries unpacked before its end arrived, and no folder before all of it did", async () => {
    const { rig: started, seen } = await rigWith({ aws: { socketTimeoutMs: 60_000 } });
    await using rig = started;
    // The whole object's request stands still in its middle; the second one, for the tail, is answered.
    rig.emulator.fault({ kind: "stalled-body", operations: ["GetObject"], times: 1 });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    void rig.run();
    const inputs = join(rig.config.artifacts.workDir, "*", "*", "inputs");
    let found: string[] = [];
    while (found.length === 0) {
      await turn();
      found = globSync(join(inputs, "Source.unpacking", "rest.bin"));
    }
    expect(await readFile(join(found[0] ?? "", "..", "first.bin"))).toEqual(first);
    expect(globSync(join(inputs, "Source"))).toEqual([]);
    rig.daemon.worker.hurry("the test has seen it");
    await rig.emulator.waitForJob(id, "over");
    expect(seen).toEqual([]);
    await leavesNothing(rig);
  });

  const get = { operations: ["GetObject"], times: 1 };
  const stillStands = { ...get, kind: "stalled-body" } as const;
  it.each<[string, readonly Parameters<Rig["emulator"]["fault"]>[0][]]>([
    ["nothing befalls", []],
    ["is damaged on its way", [{ ...get, kind: "corrupt-body" }]],
    ["is damaged behind what was unpacked", [{ ...get, kind: "corrupt-body", after: 2 }, stillStands]],
    ["is cut off in its middle", [{ ...get, kind: "cut-answer" }]],
    // What was fetched of the tail counts, since the rest is long in coming.
    ["comes with a damaged tail", [{ ...get, kind: "corrupt-body", after: 1 }, stillStands]],
    ["comes with a tail that is cut off", [{ ...get, kind: "cut-answer", after: 1 }]],
    ["comes with half a tail", [{ ...get, kind: "short-body", after: 1 }]],
    ["comes without its tail", [{ ...get, kind: "reset", after: 1 }]],
    ["comes before its tail", [{ ...get, kind: "stalled-body", after: 1 }]],
    ["has a tail that is refused", [{ ...get, kind: "error", code: "AccessDenied", status: 403, after: 1 }]],
  ])("that %s is whole in the end", async (_what, faults) => {
    const { rig: started, seen } = await rigWith();
    await using rig = started;
    for (const fault of faults) rig.emulator.fault(fault);
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    void rig.run();
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.result?.document ?? {}).not.toHaveProperty("failureDetails");
    expect(seen.map((each) => each.length)).toEqual([first.length, rest.length]);
    expect(Buffer.concat(seen).equals(Buffer.concat([first, rest]))).toBe(true);
    expect(rig.emulator.faults().filter(({ struck }) => struck === 0)).toEqual([]);
    await leavesNothing(rig);
  });

  it("whose own bytes are damaged is refused after one more try, as the customer's to fix", async () => {
    const { rig: started } = await rigWith();
    await using rig = started;
    const damaged = Buffer.from(bytes);
    damaged[500_000] = (damaged[500_000] ?? 0) ^ 1;
    const inputs = [{ name: "Source", base64: damaged.toString("base64") }];
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs });
    void rig.run();
    expect((await rig.emulator.waitForJob(id, "over")).result?.document).toMatchObject({
      failureDetails: {
        type: "ConfigurationError",
        message: expect.stringMatching(/"first.bin" is damaged or longer/),
      },
    });
    await leavesNothing(rig);
  });
});

it("a small zip, and a large object that is none, is fetched by one request", async () => {
  const { rig: started } = await rigWith();
  await using rig = started;
  void rig.run();
  const small = zip([{ name: "first.bin", content: first }]);
  for (const content of [small, rest]) {
    const inputs = [{ name: "Source", base64: content.toString("base64") }];
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs });
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  }
  expect(rig.emulator.calls()["GetObject"]).toEqual({ ok: 2 });
});

// Promise: a transfer survives what passes, ends when its job ends, and leaves nothing behind: no part in the bucket,
// no file on the disk. No success is reported for what was not uploaded.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import type { JobView } from "../../src/emulator/emulated-job.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { otherLimits } from "../support/artifact-limits.js";
import { type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { s3Client } from "../support/s3-client.js";

const outputs = [{ name: "Report" }];
const bytes = randomBytes(3_000_000);
const source = { name: "Source", base64: bytes.toString("base64") };
const hashOf = (data: Buffer) => createHash("sha256").update(data).digest("hex");

function failureOf(job: JobView): { type: string; message: string } {
  expect(job.status).toBe("Failed");
  const document = job.result?.document as { failureDetails: { type: string; message: string } } | undefined;
  return document?.failureDetails ?? { type: "none", message: "" };
}

async function leavesNothing(rig: Rig): Promise<void> {
  await rig.stop();
  const { workDir } = rig.config.artifacts;
  expect(existsSync(workDir) ? readdirSync(workDir) : []).toEqual([]);
  expect(rig.emulator.artifacts.uploads()).toEqual([]);
}

/** Writes a report of about so many bytes that no packing makes smaller. */
async function report(job: HandlerJob, size: number): Promise<string> {
  const folder = join(await job.folder(), "report");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "report.bin"), randomBytes(size));
  return folder;
}

/** Four parts: the emulator takes them in this very process, so that silences of a second are no sign of a fault. */
const large = 17_000_000;
const patient = { aws: { socketTimeoutMs: 20_000, connectionTimeoutMs: 20_000 } };

/** A handler that fetches the source and remembers its hash. */
function fetching(options: RigOptions = {}) {
  const found: string[] = [];
  const handle = async (job: HandlerJob) => {
    found.push(hashOf(await readFile(await job.inputFile("Source"))));
    return { kind: "succeeded" };
  };
  return { found, rig: () => startRig({ isHeld: true, handle, ...options }) };
}

describe("a download", () => {
  it.each<[string, Parameters<Rig["emulator"]["fault"]>[0]]>([
    ["was cut off three times", { kind: "cut-answer", operations: ["GetObject"], times: 3 }],
    ["fell silent in its middle", { kind: "stalled-body", operations: ["GetObject"], times: 1 }],
    ["was damaged on its way", { kind: "corrupt-body", operations: ["GetObject"], times: 1 }],
    ["ended before its end", { kind: "short-body", operations: ["GetObject"], times: 1 }],
    ["was told to slow down", { kind: "error", operations: ["GetObject"], code: "SlowDown", status: 503, times: 2 }],
    ["was reset before it began", { kind: "reset", operations: ["GetObject"], times: 2 }],
  ])("that %s is whole in the end", async (_what, fault) => {
    const { found, rig: start } = fetching();
    await using rig = await start();
    // As S3 keeps it: with the checksum that its uploader gave.
    const place = { bucket: "customer-bucket", key: "pipe/Source/abc" };
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [{ name: "Source", ...place }] });
    const put = { Bucket: place.bucket, Key: place.key, Body: bytes, ChecksumAlgorithm: "CRC32" } as const;
    await s3Client(rig.emulator.url).send(new PutObjectCommand(put));
    rig.emulator.fault(fault);
    void rig.run();
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.result?.document ?? job).not.toHaveProperty("failureDetails");
    expect(found).toEqual([hashOf(bytes)]);
    await leavesNothing(rig);
  });

  it("that S3 refuses with a text full of secrets fails without a part of them", async () => {
    const { rig: start } = fetching();
    await using rig = await start();
    const { clientToken } = rig.emulator.defaultClient;
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    const message = `${"x".repeat(290)}${clientToken.repeat(20)}`;
    rig.emulator.fault({ kind: "error", operations: ["GetObject"], code: "AccessDenied", status: 403, message });
    void rig.run();
    const failure = failureOf(await rig.emulator.waitForJob(id, "over"));
    expect(failure.message).toMatch(/x{290}/);
    expect(failure.message).not.toContain(clientToken.slice(0, 10));
    await leavesNothing(rig);
  });

  it("that fell silent goes on where it was, and is not taken for a damaged one", async () => {
    const { found, rig: start } = fetching();
    await using rig = await start();
    for (let n = 0; n < 3; n++) rig.emulator.fault({ kind: "stalled-body", operations: ["GetObject"], times: 1 });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    void rig.run();
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    expect(found).toEqual([hashOf(bytes)]);
    expect(rig.emulator.calls()["GetObject"]).toMatchObject({ ok: 4 });
  });

  it("that was damaged after it was cut off is noticed by the checksum that S3 gives by itself", async () => {
    const { found, rig: start } = fetching();
    await using rig = await start();
    rig.emulator.fault({ kind: "corrupt-body", operations: ["GetObject"], after: 1, times: 1 });
    rig.emulator.fault({ kind: "cut-answer", operations: ["GetObject"], times: 1 });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    void rig.run();
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    expect(found).toEqual([hashOf(bytes)]);
    expect(rig.emulator.calls()["GetObject"]).toMatchObject({ ok: 3 });
  });

  it("never goes on with another version than it began with", async () => {
    const { rig: start } = fetching();
    await using rig = await start();
    const place = { bucket: "customer-bucket", key: "pipe/Source/abc" };
    rig.emulator.fault({ kind: "cut-answer", operations: ["GetObject"], times: 1 });
    rig.emulator.on((event) => {
      const isCut = event.type === "call-answered" && event.call.operation === "GetObject" && event.faults.length > 0;
      if (isCut) rig.emulator.artifacts.put({ ...place, text: "another version" });
    });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [{ ...source, ...place }] });
    void rig.run();
    expect(failureOf(await rig.emulator.waitForJob(id, "over"))).toEqual({
      type: "RevisionUnavailable",
      message: expect.stringMatching(/the object was replaced while it was being fetched/),
    });
    await leavesNothing(rig);
  });

  it("ends with the job's time, and its folder with it", async () => {
    const { rig: start } = fetching({
      actionTypes: [{ ...thirdParty, jobTimeoutMs: 700 }],
      aws: { socketTimeoutMs: 60_000 },
    });
    await using rig = await start();
    rig.emulator.fault({ kind: "stalled-body", operations: ["GetObject"] });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    void rig.run();
    expect(failureOf(await rig.emulator.waitForJob(id, "over")).message).toMatch(/took longer than its limit/);
    await leavesNothing(rig);
  });

  it.runIf(process.getuid?.() === 0)("that the disk cannot hold fails the job as the worker's trouble", async () => {
    const { rig: start } = fetching({
      inFolder: (folder) => {
        const workDir = join(folder, "small");
        mkdirSync(workDir);
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", workDir]);
        return { artifacts: { workDir, maxArchiveBytes: 1e9, maxExtractedBytes: 1e9, ...rest } };
      },
    });
    await using rig = await start();
    using _mount = {
      [Symbol.dispose]: () => void execFileSync("umount", ["-l", rig.config.artifacts.workDir]),
    };
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    void rig.run();
    expect(failureOf(await rig.emulator.waitForJob(id, "over"))).toEqual({
      type: "SystemUnavailable",
      message: expect.stringMatching(/the disk of the worker that holds the job's folder is full \(ENOSPC\)/),
    });
    await leavesNothing(rig);
  });
});

const rest = { maxEntries: 1e5, ...otherLimits, minFreeBytes: 0, requestTimeoutMs: 5_000 };

describe("an upload", () => {
  it("of more than 16 MiB goes in parts, each with its checksum", async () => {
    await using rig = await startRig({
      ...patient,
      handle: async (job: HandlerJob) => {
        await job.output("Report", await report(job, large));
        return { kind: "succeeded" };
      },
    });
    rig.emulator.fault({ kind: "reset", operations: ["UploadPart"], times: 2 });
    const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(job.outputs[0]?.uploaded).toMatchObject({ encryption: "aws:kms", etag: expect.stringMatching(/-4"?$/) });
    expect(rig.emulator.calls()).toMatchObject({ UploadPart: { ok: 4 }, CompleteMultipartUpload: { ok: 1 } });
    await leavesNothing(rig);
  });

  it.each([
    ["a small one", 1_000, "PutObject"],
    ["one in parts", large, "UploadPart"],
    ["the end of one in parts", large, "CompleteMultipartUpload"],
  ])(
    "that is refused (%s) fails the job, though the handler looked away, and leaves no part",
    async (_what, size, at) => {
      await using rig = await startRig({
        handle: async (job: HandlerJob) => {
          await job.output("Report", await report(job, size)).catch(() => {});
          return { kind: "succeeded", summary: "all is well" };
        },
      });
      rig.emulator.fault({ kind: "error", operations: [at], code: "AccessDenied", status: 403 });
      const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
      expect(failureOf(await rig.emulator.waitForJob(id, "over"))).toEqual({
        type: "PermissionError",
        message: expect.stringMatching(/the output artifact Report could not be uploaded to s3:.*access denied/),
      });
      await leavesNothing(rig);
    },
  );

  it("of which parts cannot be taken back is told to the operator, with what the bucket calls it", async () => {
    await using rig = await startRig({
      handle: async (job: HandlerJob) => {
        await job.output("Report", await report(job, large));
        return { kind: "succeeded" };
      },
    });
    const operations = ["CompleteMultipartUpload", "AbortMultipartUpload"];
    rig.emulator.fault({ kind: "error", operations, code: "AccessDenied", status: 403 });
    const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
    expect(failureOf(await rig.emulator.waitForJob(id, "over")).type).toBe("PermissionError");
    const [upload] = rig.emulator.artifacts.uploads();
    await rig.stop();
    const told = rig.logs.filter(({ level, uploadId }) => level === "warn" && uploadId === upload?.uploadId);
    expect(told).toMatchObject([{ event: "upload-not-aborted" }]);
  });

  it("that nobody awaited is awaited before the success counts", async () => {
    await using rig = await startRig({
      ...patient,
      handle: async (job: HandlerJob) => {
        void job.output("Report", await report(job, 1_000));
        return { kind: "succeeded" };
      },
    });
    rig.emulator.fault({ kind: "latency", operations: ["PutObject"], ms: 200 });
    const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(job.outputs[0]?.uploaded).toBeDefined();
  });

  it("that failed is made good by a later one of the same name", async () => {
    await using rig = await startRig({
      ...patient,
      handle: async (job: HandlerJob) => {
        await job.output("Report", "not/there").catch(() => {});
        await job.output("Report", await report(job, 1_000));
        return { kind: "succeeded" };
      },
    });
    const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  });

  it("is taken back when a stop ends its job in its middle", async () => {
    await using rig = await startRig({
      ...patient,
      handle: async (job: HandlerJob) => {
        await job.output("Report", await report(job, large));
        return { kind: "succeeded" };
      },
    });
    rig.emulator.fault({ kind: "black-hole", operations: ["UploadPart"], after: 1 });
    const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
    await rig.emulator.waitFor(() => (rig.emulator.artifacts.uploads()[0]?.parts ?? 0) > 0);
    rig.daemon.worker.hurry("the test says so");
    expect(failureOf(await rig.emulator.waitForJob(id, "over")).type).toBe("SystemUnavailable");
    await leavesNothing(rig);
  });

  it("goes on with fresh credentials where the old ones end between two parts", async () => {
    await using rig = await startRig({
      ...patient,
      handle: async (job: HandlerJob) => {
        await job.output("Report", await report(job, large));
        return { kind: "succeeded" };
      },
    });
    let parts = 0;
    rig.emulator.on((event) => {
      if (event.type !== "call-answered" || event.call.operation !== "UploadPart") return;
      parts += 1;
      if (parts === 1) rig.emulator.artifacts.expireCredentials();
    });
    const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.result?.document ?? {}).toEqual({});
    expect(job.status).toBe("Succeeded");
    // Parts that were on their way with the old ones share one renewal.
    expect(rig.emulator.calls()["GetThirdPartyJobDetails"]).toMatchObject({ ok: 2 });
    await leavesNothing(rig);
  });

  it("to an artifact that the action does not have is refused by name", async () => {
    await using rig = await startRig({
      ...patient,
      handle: async (job: HandlerJob) => {
        await job.output("Rapport", await report(job, 10));
        return { kind: "succeeded" };
      },
    });
    const id = rig.emulator.addJob({ actionType: thirdParty, outputs });
    expect(failureOf(await rig.emulator.waitForJob(id, "over"))).toEqual({
      type: "ConfigurationError",
      message: expect.stringMatching(/has the output artifacts Report, but the handler requested "Rapport"/),
    });
  });
});

// Promise: a handler of any kind gets folders and gives folders; what lies in S3, by whose key and for how long one may
// touch it, is partnerd's business. Both flavours, all three kinds.
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { HandlerConfig } from "../../src/config/config.js";
import type { JobView } from "../../src/emulator/emulated-job.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { startService } from "../fixtures/handlers/service.js";
import { artifactsIn, otherLimits } from "../support/artifact-limits.js";
import { moduleHandler } from "../support/module-handler.js";
import { custom, type Rig, type RigOptions, scriptedHandler, startRig, thirdParty } from "../support/rig.js";

const flavours = [
  ["third-party", thirdParty],
  ["custom", custom],
] as const;

const source = { name: "Source", files: { "README.md": "read me", "src/main.c": "int main;" } };
const keyId = "arn:aws:kms:us-east-1:111122223333:key/0f5a0e9a-0000-4000-8000-00000000cafe";

function rigWith(handler: HandlerConfig, options: RigOptions = {}): Promise<Rig> {
  const handlers = { tried: handler, scripted: moduleHandler(scriptedHandler) };
  const actionTypes = [thirdParty, custom].map((type) => ({ ...type, handler: "tried" }));
  return startRig({ actionTypes, ...options, config: { handlers, ...options.config } });
}

function failureOf(job: JobView): { type: string; message: string } {
  expect(job.status).toBe("Failed");
  const document = job.result?.document as { failureDetails: { type: string; message: string } } | undefined;
  return document?.failureDetails ?? { type: "none", message: "" };
}

/** File names in an uploaded zip, from its local headers. */
async function namesIn(rig: Rig, job: JobView): Promise<string[]> {
  const { bucket, key } = job.outputs[0] ?? { bucket: "", key: "" };
  const bytes = await rig.emulator.artifacts.read(bucket, key);
  const names: string[] = [];
  for (let at = bytes.indexOf("PK\x01\x02"); at >= 0; at = bytes.indexOf("PK\x01\x02", at + 4)) {
    names.push(bytes.toString("utf8", at + 46, at + 46 + bytes.readUInt16LE(at + 28)));
  }
  return names.sort();
}

/** Nothing is left on the disk once the daemon has closed, nor in the bucket. */
async function leavesNothing(rig: Rig): Promise<void> {
  await rig.stop();
  const { workDir } = rig.config.artifacts;
  expect(existsSync(workDir) ? readdirSync(workDir) : []).toEqual([]);
  expect(rig.emulator.artifacts.uploads()).toEqual([]);
}

describe.each(flavours)("a %s job", (_flavour, actionType) => {
  it("of a module has its input unpacked, its object raw, and its report uploaded by the pipeline's key", async () => {
    const seen: string[] = [];
    await using rig = await startRig({
      handle: async (job: HandlerJob) => {
        seen.push(await readFile(join(await job.input("Source"), "src", "main.c"), "utf8"));
        seen.push((await readFile(await job.inputFile("Source"))).toString("latin1", 0, 2));
        const report = join(await job.folder(), "report");
        await mkdir(report);
        await writeFile(join(report, "report.txt"), "all is well");
        await job.output("Report", "report");
        return { kind: "succeeded" };
      },
    });
    const id = rig.emulator.addJob({
      actionType,
      inputs: [source],
      outputs: [{ name: "Report" }],
      encryptionKeyId: keyId,
    });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(seen).toEqual(["int main;", "PK"]);
    expect(job.outputs[0]?.uploaded).toMatchObject({ encryption: "aws:kms", kmsKeyId: keyId, byJob: id });
    expect(job.outputs[0]?.uploaded?.contentType).toBe("application/zip");
    expect(await namesIn(rig, job)).toEqual(["report.txt"]);
    const moved = rig.events.flatMap((event) => (event.type === "artifact-moved" ? [event] : []));
    const size = async ({ bucket, key }: { bucket: string; key: string } = { bucket: "", key: "" }) =>
      (await rig.emulator.artifacts.read(bucket, key)).length;
    // Its object is fetched anew for who asks for it raw.
    expect(moved.filter(({ way }, at) => way === "out" || at === 0)).toMatchObject([
      { way: "in", name: "Source", bytes: await size(job.inputs[0]) },
      { way: "out", name: "Report", bytes: await size(job.outputs[0]) },
    ]);
    await leavesNothing(rig);
  });

  it("of a command has inputs/ unpacked before it starts and outputs/ uploaded after it succeeded", async () => {
    const script = "cat > /dev/null; cat inputs/Source/src/main.c; cp inputs/Source/README.md outputs/Report/copy.md";
    await using rig = await rigWith({ kind: "command", command: ["sh", "-c", script], env: {} });
    const id = rig.emulator.addJob({ actionType, inputs: [source], outputs: [{ name: "Report" }] });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(rig.logs.map(({ msg }) => msg)).toContain("int main;");
    expect(job.outputs[0]?.uploaded).toMatchObject({ encryption: "aws:kms", byJob: id });
    expect(await namesIn(rig, job)).toEqual(["copy.md"]);
    await leavesNothing(rig);
  });

  it.skipIf(process.geteuid?.() !== 0)(
    "of a command of another user has both as well, in a folder of its own, and reads no other job's (needs root)",
    async () => {
      const script =
        "cat >/dev/null; id -u; cat inputs/Source/src/main.c; cp inputs/Source/README.md outputs/Report/copy.md; ls ../.. ../../.. || echo sees nothing";
      const command = { kind: "command", command: ["sh", "-c", script], env: {} } as const;
      const above = mkdtempSync(join(tmpdir(), "partnerd-test-"));
      onTestFinished(() => rmSync(above, { recursive: true, force: true }));
      chmodSync(above, 0o711);
      const limits = { ...otherLimits, maxArchiveBytes: 1e9, maxExtractedBytes: 1e9, maxEntries: 1e5, minFreeBytes: 0 };
      const artifacts = { workDir: join(above, "work"), ...limits, requestTimeoutMs: 10_000 };
      await using rig = await rigWith({ ...command, user: "54321", group: "54321" }, { config: { artifacts } });
      const id = rig.emulator.addJob({ actionType, inputs: [source], outputs: [{ name: "Report" }] });
      const job = await rig.emulator.waitForJob(id, "over");
      expect(job.status).toBe("Succeeded");
      const said = rig.logs.map(({ msg }) => msg);
      expect(said).toEqual(expect.arrayContaining(["54321", "int main;sees nothing"]));
      expect(await namesIn(rig, job)).toEqual(["copy.md"]);
      await leavesNothing(rig);
    },
  );

  it("of a service comes with requests that fetch and upload, and only with the headers that encrypt", async () => {
    const statuses: Record<string, number> = {};
    const service = await startService({
      artifacts: async ({ body }, answer) => {
        const { inputs, outputs, artifactsUntil } = JSON.parse(body) as LinkedDocument;
        const [input, output] = [inputs[0], outputs[0]];
        if (!input || !output) throw new Error("no artifacts");
        expect(Date.parse(artifactsUntil) - Date.now()).toBeGreaterThan(13 * 60_000);
        const got = await fetch(input.url, { method: input.method, headers: input.headers });
        statuses["get"] = got.status;
        statuses["bytes"] = (await got.arrayBuffer()).byteLength;
        const bare = await fetch(output.url, { method: output.method, body: "zip" });
        statuses["bare put"] = bare.status;
        const put = await fetch(output.url, { method: output.method, headers: output.headers, body: "zip" });
        statuses["put"] = put.status;
        answer.end(JSON.stringify({ kind: "succeeded" }));
      },
    });
    onTestFinished(() => service.close());
    await using rig = await rigWith({ kind: "http", url: `${service.url}/artifacts`, requestTimeoutMs: 10_000 });
    const id = rig.emulator.addJob({
      actionType,
      inputs: [source],
      outputs: [{ name: "Report" }],
      encryptionKeyId: keyId,
    });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(statuses).toEqual({ get: 200, bytes: expect.any(Number), "bare put": 403, put: 200 });
    expect(job.status).toBe("Succeeded");
    expect(job.outputs[0]?.uploaded).toMatchObject({ bytes: 3, encryption: "aws:kms", kmsKeyId: keyId });
    expect(rig.rawLogs.join("")).not.toContain("X-Amz-Signature");
  });
});

interface LinkedDocument {
  readonly inputs: readonly LinkedArtifact[];
  readonly outputs: readonly LinkedArtifact[];
  readonly artifactsUntil: string;
}

interface LinkedArtifact {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** Fetches the source and says what came of it. */
const fetches = (what: (job: HandlerJob) => Promise<unknown>) => async (job: HandlerJob) => {
  await what(job);
  return { kind: "succeeded" };
};
const inputOf = fetches((job) => job.input("Source"));

describe("an input that cannot be had", () => {
  const key = { bucket: "customer-bucket", key: "pipe/Source/abc123" };
  it.each<[string, string, RegExp, (rig: Rig) => void]>([
    ["is missing", "RevisionUnavailable", /no such object \(NoSuchKey/, () => {}],
    [
      "may not be read",
      "PermissionError",
      /access denied.*\(AccessDenied/,
      (rig) => rig.emulator.fault({ kind: "error", operations: ["GetObject"], code: "AccessDenied", status: 403 }),
    ],
    [
      "is encrypted by a key that these credentials may not use",
      "PermissionError",
      /pipeline's own KMS key denied access/,
      (rig) => {
        rig.emulator.artifacts.setKmsKey({ id: keyId, state: "denied" });
        rig.emulator.artifacts.put({ ...key, text: "x", kmsKeyId: keyId });
      },
    ],
    [
      "is encrypted by a key that is disabled",
      "ConfigurationError",
      /KMS key cannot be used: it is disabled/,
      (rig) => {
        rig.emulator.artifacts.setKmsKey({ id: keyId, state: "disabled" });
        rig.emulator.artifacts.put({ ...key, text: "x", kmsKeyId: keyId });
      },
    ],
    [
      "is not to be had from S3 at all",
      "SystemUnavailable",
      /S3 could not be used, even after retries/,
      (rig) => rig.emulator.fault({ kind: "unavailable", operations: ["GetObject"] }),
    ],
    [
      "is larger than is taken",
      "ConfigurationError",
      /has 2000 bytes; the maximum is 1500 \(artifacts.maxArchiveBytes\)/,
      (rig) => rig.emulator.artifacts.put({ ...key, text: "x".repeat(2_000) }),
    ],
  ])("because it %s fails the job as %s", async (_what, type, message, prepare) => {
    await using rig = await startRig({
      handle: inputOf,
      isHeld: true,
      inFolder: (folder) => ({ artifacts: { ...limits(folder), maxArchiveBytes: 1_500 } }),
    });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [{ name: "Source", ...key }] });
    prepare(rig);
    void rig.run();
    const failure = failureOf(await rig.emulator.waitForJob(id, "over"));
    expect(failure).toEqual({ type, message: expect.stringMatching(message) });
    await leavesNothing(rig);
  });

  it("does not start a command", async () => {
    await using rig = await rigWith({ kind: "command", command: ["sh", "-c", "echo was started"], env: {} });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [{ name: "Source", ...key }] });
    expect(failureOf(await rig.emulator.waitForJob(id, "over")).type).toBe("RevisionUnavailable");
    expect(rig.logs.map(({ msg }) => msg)).not.toContain("was started");
  });

  it("names what the action has when the handler asks for something else", async () => {
    await using rig = await startRig({ handle: fetches((job) => job.input("Sauce")) });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [source] });
    expect(failureOf(await rig.emulator.waitForJob(id, "over"))).toEqual({
      type: "ConfigurationError",
      message:
        'the action has the input artifacts Source, but the handler requested "Sauce"; correct the pipeline or the handler',
    });
  });
});

function limits(folder: string) {
  return artifactsIn(join(folder, "work"));
}

describe("credentials that end", () => {
  const bytes = randomBytes(3_000_000);
  const large = { name: "Source", base64: bytes.toString("base64") };
  const hash = (data: Buffer) => createHash("sha256").update(data).digest("hex");

  it.each(flavours)("before a %s job fetches are renewed, and its nonce stays in use", async (_flavour, actionType) => {
    await using rig = await startRig({
      emulator: { settings: { freshNonceAtDetails: true } },
      handle: async (job: HandlerJob) => {
        rig.emulator.artifacts.expireCredentials(job.jobId);
        expect(await readFile(join(await job.input("Source"), "README.md"), "utf8")).toBe("read me");
        return { kind: "succeeded" };
      },
    });
    const id = rig.emulator.addJob({ actionType, inputs: [source] });
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    expect(rig.emulator.violations()).toEqual([]);
  });

  it("in the middle of a download are renewed, and the download goes on where it was", async () => {
    let found = "";
    await using rig = await startRig({
      isHeld: true,
      handle: async (job: HandlerJob) => {
        found = hash(await readFile(await job.inputFile("Source")));
        return { kind: "succeeded" };
      },
    });
    rig.emulator.fault({ kind: "cut-answer", operations: ["GetObject"], times: 1 });
    const answers: string[] = [];
    rig.emulator.on((event) => {
      if (event.type !== "call-answered" || !/^Get(Object|ThirdPartyJobDetails)$/.test(event.call.operation)) return;
      answers.push(`${event.call.operation} ${event.status} ${event.code ?? ""}`.trim());
      // Cut off in its middle: whoever goes on needs other credentials.
      if (event.faults.length > 0) rig.emulator.artifacts.expireCredentials();
    });
    const id = rig.emulator.addJob({ actionType: thirdParty, inputs: [large] });
    void rig.run();
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    expect(found).toBe(hash(bytes));
    expect(answers).toEqual([
      "GetThirdPartyJobDetails 200",
      expect.stringMatching(/^GetObject/),
      "GetObject 400 ExpiredToken",
      "GetThirdPartyJobDetails 200",
      "GetObject 206",
    ]);
  });
});

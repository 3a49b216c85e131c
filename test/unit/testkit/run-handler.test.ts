import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { continued, failed, type Handler, JobFailure, succeeded } from "../../../src/index.js";
import { runHandler } from "../../../src/testkit/run-handler.js";

describe("runHandler", () => {
  it("gives the handler a whole job, and its outcome as CodePipeline gets it", async () => {
    const handler: Handler = (job) => {
      job.log.info("started", { attempt: 1 });
      return succeeded({ summary: `${job.configuration["Target"]} ${"x".repeat(3_000)}` });
    };
    const { outcome, logs, outputs } = await runHandler(handler, { configuration: { Target: "main" } });
    expect(outcome).toMatchObject({ kind: "succeeded", summary: expect.stringMatching(/^main x+ … \[shortened/) });
    expect(logs).toEqual([{ level: "info", message: "started", fields: { attempt: 1 } }]);
    expect(outputs).toEqual({});
  });

  it.each<[string, Handler, object]>([
    ["throws", () => Promise.reject(new Error("no")), { type: "JobFailed", message: "the handler failed: no" }],
    [
      "throws a JobFailure",
      () => {
        throw new JobFailure("PermissionError", "no");
      },
      { type: "PermissionError", message: "no" },
    ],
    ["returns failed()", () => failed("no", "ConfigurationError"), { type: "ConfigurationError", message: "no" }],
    ["returns nothing", () => undefined as never, { message: expect.stringContaining("invalid outcome: nothing") }],
    [
      "gives what its action type cannot have",
      () => succeeded({ outputVariables: { a: "b" } }),
      { message: expect.stringContaining("third-party") },
    ],
  ])("fails as the daemon would when the handler %s", async (_what, handler, failure) => {
    const { outcome } = await runHandler(handler, { actionType: { owner: "ThirdParty" } });
    expect(outcome).toMatchObject({ kind: "failed", ...failure });
  });

  it("hands over the continuation token, and takes one", async () => {
    const handler: Handler = ({ continuationToken }) => (continuationToken === "2" ? succeeded() : continued("2"));
    const first = await runHandler(handler);
    expect(first.outcome).toEqual({ kind: "continued", continuationToken: "2" });
    expect((await runHandler(handler, { continuationToken: "2" })).outcome).toEqual({ kind: "succeeded" });
  });

  it("lays inputs out as folders and gives back what was uploaded, awaited or not", async () => {
    const copied = mkdtempSync(join(tmpdir(), "partnerd-test-"));
    onTestFinished(() => rmOf(copied));
    writeFileSync(join(copied, "c.txt"), "c");
    let folder = "";
    const handler: Handler = async (job) => {
      folder = await job.folder();
      const text = await readFile(join(await job.input("Source"), "src/a.txt"), "utf8");
      const other = await readFile(join(await job.input("Copied"), "c.txt"), "utf8");
      await mkdir(join(folder, "out/deep"), { recursive: true });
      await writeFile(join(folder, "out/deep/b.txt"), text + other);
      void job.output("Report", "out");
      return succeeded({ summary: await readFile(await job.inputFile("Copied"), "utf8") });
    };
    const inputs = { Source: { "src/a.txt": "a" }, Copied: copied };
    const { outcome, outputs } = await runHandler(handler, { inputs, outputs: ["Report"] });
    expect(outcome).toEqual({ kind: "succeeded", summary: "c" });
    expect(outputs).toEqual({ Report: { "deep/b.txt": Buffer.from("ac") } });
    expect(existsSync(folder)).toBe(false);
  });

  it("fails a success whose upload failed, and warns of an output that is missing", async () => {
    const wrong = await runHandler((job) => {
      void job.output("Nothing", ".");
      return succeeded();
    });
    expect(wrong.outcome).toMatchObject({ type: "ConfigurationError", message: expect.stringContaining('"Nothing"') });
    const missing = await runHandler(() => succeeded(), { outputs: ["Report"] });
    expect(missing.logs).toMatchObject([{ level: "warn", message: expect.stringContaining("Report") }]);
  });

  it("lets a drain and the deadline come at once", async () => {
    const untilDrain: Handler = (job) =>
      new Promise((resolve) => job.draining.addEventListener("abort", () => resolve(continued("later"))));
    const drained = runHandler(untilDrain);
    drained.drain();
    expect((await drained).outcome).toEqual({ kind: "continued", continuationToken: "later" });
    const deaf = runHandler(() => new Promise(() => {}));
    deaf.passDeadline();
    expect((await deaf).outcome).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("longer than its limit"),
    });
  });

  it("keeps the handler's own word when it comes with the deadline", async () => {
    const heeds: Handler = (job) =>
      new Promise((_resolve, reject) =>
        job.signal.addEventListener("abort", () => reject(new JobFailure("RevisionUnavailable", "gone"))),
      );
    const run = runHandler(heeds);
    run.passDeadline();
    expect((await run).outcome).toMatchObject({ type: "RevisionUnavailable" });
  });

  it("rejects an input with a file outside of it", async () => {
    await expect(runHandler(() => succeeded(), { inputs: { A: { "../b": "x" } } })).rejects.toThrow("outside of it");
  });
});

async function rmOf(path: string): Promise<void> {
  const { rm } = await import("node:fs/promises");
  await rm(path, { recursive: true });
}

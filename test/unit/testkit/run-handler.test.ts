import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { continued, failed, type Handler, JobFailure, succeeded } from "../../../src/index.js";
import { runHandler } from "../../../src/testkit/run-handler.js";

describe("runHandler", () => {
  it("gives the handler a whole job, and its outcome as CodePipeline gets it", async () => {
    const handler: Handler = (job) => {
      job.log.info("started", { attempt: 1 });
      return succeeded({ summary: `${job.configuration["Target"]} ${"x".repeat(3_000)}` });
    };
    const { outcome, logs, outputs } = await runHandler(handler, { configuration: { Target: "main" } });
    expect(outcome).toMatchObject({ kind: "succeeded", summary: expect.stringMatching(/^main x+ … \[truncated/) });
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

  it.each([
    ["throws", () => Promise.reject(new Error("\u001b[31mtest 7\u001b[0m failed"))],
    ["returns", async () => failed("the handler failed: \u001b[31mtest 7\u001b[0m failed")],
  ])("takes colours out of what it %s", async (_how, handler) => {
    const { outcome } = await runHandler(handler);
    expect(outcome).toEqual({ kind: "failed", type: "JobFailed", message: "the handler failed: test 7 failed" });
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

  it("lets a drain come at once", async () => {
    const untilDrain: Handler = (job) =>
      new Promise((resolve) => job.draining.addEventListener("abort", () => resolve(continued("later"))));
    const drained = runHandler(untilDrain);
    drained.drain();
    expect((await drained).outcome).toEqual({ kind: "continued", continuationToken: "later" });
  });

  it("lets the deadline come by the job's own time, not by the machine's", async () => {
    let reason: unknown;
    const heeds: Handler = (job) =>
      new Promise((_resolve, reject) => {
        job.signal.addEventListener("abort", async () => {
          await Promise.resolve();
          reason = job.signal.reason;
          reject(new JobFailure("RevisionUnavailable", "not what counts"));
        });
      });
    const run = runHandler(heeds, { timeoutMs: 90_000 });
    run.advance(89_999);
    run.advance(1);
    expect(await run).toMatchObject({
      outcome: {
        kind: "failed",
        type: "JobFailed",
        message: "the job took longer than its limit of 90 s (jobTimeout) and was stopped",
      },
      isAbandoned: false,
    });
    expect(String(reason)).toContain("time limit of 90 s has passed");
    const early = runHandler((job) => succeeded({ summary: String(job.signal.aborted) }), { timeoutMs: 60_000 });
    early.advance(59_999);
    expect((await early).outcome).toMatchObject({ summary: "false" });
  });

  it("abandons a handler that does not heed its signal, and hears nothing of it any more", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const deaf: Handler = async (job) => {
      job.log.info("before");
      await promise;
      job.log.info("after");
      return succeeded();
    };
    const run = runHandler(deaf, { graceMs: 1 });
    run.passDeadline();
    const result = await run;
    resolve();
    await new Promise((done) => setImmediate(done));
    expect(result).toMatchObject({ isAbandoned: true, outcome: { kind: "failed" }, logs: [{ message: "before" }] });
  });

  it.each<[string, Handler, object]>([
    [
      "gives its outcome",
      ({ signal }) => aborted(signal).then(() => continued("later")),
      { continuationToken: "later" },
    ],
    [
      "throws",
      ({ signal }) => aborted(signal).then(() => Promise.reject(new JobFailure("ConfigurationError", "no"))),
      { type: "SystemUnavailable", message: expect.stringContaining("partnerd was stopped") },
    ],
    ["goes on", () => new Promise(() => {}), { type: "SystemUnavailable" }],
  ])("at a stop takes what a handler that %s comes to", async (_what, handler, outcome) => {
    const run = runHandler(handler, { graceMs: 10 });
    run.stop();
    // The first cause wins.
    run.passDeadline();
    expect((await run).outcome).toMatchObject(outcome);
  });

  it("goes on while a test's timers stand still", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setImmediate", "setInterval", "Date", "queueMicrotask"] });
    onTestFinished(() => void vi.useRealTimers());
    vi.setSystemTime(Date.UTC(2026, 0, 1));
    const polls: Handler = async (job) => {
      await new Promise((resolve) => setTimeout(resolve, 3_600_000));
      return succeeded({ summary: job.deadline });
    };
    const run = runHandler(polls);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect((await run).outcome).toMatchObject({ summary: expect.stringMatching(/^2026-01-01T00:30:00/) });
    const deaf = runHandler(() => new Promise(() => {}), { graceMs: 1 });
    deaf.passDeadline();
    expect((await deaf).isAbandoned).toBe(true);
  });

  it("copies outputs to a folder", async () => {
    const outputsTo = mkdtempSync(join(tmpdir(), "partnerd-test-"));
    onTestFinished(() => rmOf(outputsTo));
    const handler: Handler = async (job) => {
      await mkdir(join(await job.folder(), "out"));
      await writeFile(join(await job.folder(), "out/b.txt"), "b");
      await job.output("Report", "out");
      return succeeded();
    };
    await runHandler(handler, { outputs: ["Report"], outputsTo });
    expect(await readFile(join(outputsTo, "Report/b.txt"), "utf8")).toBe("b");
  });

  it("rejects an input with a file outside of it", async () => {
    await expect(runHandler(() => succeeded(), { inputs: { A: { "../b": "x" } } })).rejects.toThrow("outside of it");
  });
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

async function rmOf(path: string): Promise<void> {
  const { rm } = await import("node:fs/promises");
  await rm(path, { recursive: true });
}

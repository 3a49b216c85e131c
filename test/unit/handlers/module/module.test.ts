import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HandlerJob } from "../../../../src/handlers/handler.js";
import { ModuleHandler, type ModuleHandlerOptions } from "../../../../src/handlers/module/module.js";
import { failureFrom, JobFailure } from "../../../../src/job/failure.js";
import { aCall, jobSecrets } from "../../../fixtures/handlers/call.js";
import { FakeClock, settle } from "../../../support/fake-clock.js";

const unhandled: unknown[] = [];
const remember = (reason: unknown) => unhandled.push(reason);

beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", remember);
});

afterEach(async () => {
  await settle();
  process.off("unhandledRejection", remember);
  expect(unhandled).toEqual([]);
});

function given(handler: (job: HandlerJob) => unknown, overrides: Partial<ModuleHandlerOptions> = {}) {
  const clock = new FakeClock();
  const abandoned: unknown[] = [];
  const one = new ModuleHandler({
    description: "/srv/gate.js",
    handler,
    cancelGraceMs: 5_000,
    clock,
    onAbandoned: (call) => abandoned.push(call),
    ...overrides,
  });
  return { one, clock, abandoned };
}

const aborted = new Error("aborted by the engine");

describe("ModuleHandler", () => {
  it("gives the handler the job document and what only a module gets", async () => {
    let seen: HandlerJob | undefined;
    const { one } = given(async (job) => {
      seen = job;
    });
    const call = aCall({ continuationToken: "t-1" });
    await one.run(call);
    expect(seen).toMatchObject({ version: 1, jobId: call.job.key.jobId, continuationToken: "t-1", log: call.jobLog });
    expect(seen?.signal).toBeInstanceOf(AbortSignal);
    expect(seen?.draining).toBeInstanceOf(AbortSignal);
    for (const secret of jobSecrets) expect(JSON.stringify(seen)).not.toContain(secret);
  });

  it("logs what the handler throws, but neither a JobFailure nor what is thrown because of the abort", async () => {
    const { one } = given(async (job) => {
      if (job.configuration["Target"] === "main") throw new TypeError("x is undefined");
      throw new JobFailure("ConfigurationError", "Target is wrong");
    });
    const [plain, meant, late] = [aCall(), aCall({ configuration: { Target: "other" } }), aCall()];
    late.abort(new Error("too late"));
    for (const call of [plain, meant, late]) await expect(one.run(call)).rejects.toThrow();
    const events = [plain, meant, late].map(({ log }) => log.lines.map(({ event }) => event));
    expect(events).toEqual([["handler-threw"], [], []]);
  });

  it("tells the handler that the daemon drains", async () => {
    const { one } = given(
      (job) =>
        new Promise((resolve) => {
          job.draining.addEventListener("abort", () => resolve("drained"));
        }),
    );
    const call = aCall();
    const run = one.run(call);
    call.drain();
    await expect(run).resolves.toBe("drained");
  });

  it("does not let a handler change the job under the engine's hands", async () => {
    const { one } = given(async (job) => {
      (job.configuration as Record<string, string>)["Target"] = "evil";
      (job.inputs as unknown[]).length = 0;
    });
    const call = aCall();
    await one.run(call);
    expect(call.job.configuration).toEqual({ Target: "main" });
    expect(call.job.inputs).toHaveLength(1);
  });

  it.each<[string, (job: HandlerJob) => unknown, string]>([
    [
      "throws at once",
      () => {
        throw new Error("at once");
      },
      "at once",
    ],
    ["rejects", () => Promise.reject(new Error("later")), "later"],
    ["rejects with a string", () => Promise.reject("just a text"), "just a text"],
    ["rejects with nothing", () => Promise.reject(undefined), "undefined"],
    [
      "throws an object that cannot be shown",
      () => {
        throw {
          get message() {
            throw new Error("twice");
          },
          toJSON() {
            throw new Error("thrice");
          },
        };
      },
      "cannot be shown",
    ],
    [
      "returns a thenable that throws",
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a false promise is what the test is about.
        then() {
          throw new Error("false promise");
        },
      }),
      "false promise",
    ],
  ])("rejects when the handler %s", async (_what, handler, message) => {
    const { one, clock } = given(handler);
    const thrown = await one.run(aCall()).then(
      () => expect.unreachable(),
      (error: unknown) => error,
    );
    expect(failureFrom(thrown)).toMatchObject({ type: "JobFailed", message: expect.stringContaining(message) });
    expect(clock.pending).toBe(0);
  });

  it("takes only the first word of a thenable that speaks twice", async () => {
    const { one } = given(() => ({
      // biome-ignore lint/suspicious/noThenProperty: a promise that cheats is what the test is about.
      then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
        resolve("first");
        reject(new Error("second"));
      },
    }));
    await expect(one.run(aCall())).resolves.toBe("first");
  });

  it("rejects with the abort's reason when the handler stops because it was told to", async () => {
    const { one, clock } = given((job) => {
      const stopped = new Error("AbortError");
      return new Promise((_resolve, reject) => job.signal.addEventListener("abort", () => reject(stopped)));
    });
    const call = aCall();
    const run = one.run(call);
    call.abort(aborted);
    await expect(run).rejects.toBe(aborted);
    expect(clock.pending).toBe(0);
  });

  it("keeps a JobFailure and an outcome that come within the grace: they are the handler's own word", async () => {
    const failure = new JobFailure("RevisionUnavailable", "gone");
    const failing = given(
      (job) => new Promise((_r, reject) => job.signal.addEventListener("abort", () => reject(failure))),
    );
    const returning = given(
      (job) => new Promise((resolve) => job.signal.addEventListener("abort", () => resolve("late"))),
    );
    const [first, second] = [aCall(), aCall()];
    const runs = [failing.one.run(first), returning.one.run(second)];
    first.abort(aborted);
    second.abort(aborted);
    expect(await Promise.allSettled(runs)).toEqual([
      { status: "rejected", reason: failure },
      { status: "fulfilled", value: "late" },
    ]);
  });

  it("abandons a handler that does not stop: counted, told, and only once the grace is over", async () => {
    let finish = (_value: unknown) => {};
    const { one, clock, abandoned } = given(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    const call = aCall();
    const run = one.run(call);
    const ended = expect(run).rejects.toMatchObject({
      name: "HandlerAbandoned",
      message: expect.stringContaining("5000 ms"),
      cause: aborted,
    });
    call.abort(aborted);
    await clock.advance(4_999);
    expect(abandoned).toEqual([]);
    await clock.advance(1);
    await ended;
    expect(abandoned).toEqual([call]);
    expect(one.abandoned).toBe(1);
    finish("too late");
    await settle();
    expect(one.abandoned).toBe(0);
  });

  it("ignores the late rejection of an abandoned handler", async () => {
    let fail = (_error: unknown) => {};
    const { one, clock } = given(
      () =>
        new Promise((_resolve, reject) => {
          fail = reject;
        }),
    );
    const call = aCall();
    const ended = expect(one.run(call)).rejects.toMatchObject({ name: "HandlerAbandoned" });
    call.abort(aborted);
    await clock.advance(5_000);
    await ended;
    fail(new Error("nobody listens"));
    await settle();
    expect(unhandled).toEqual([]);
    expect(one.abandoned).toBe(0);
  });

  it("hands folders, inputs and outputs on to the job's workspace", async () => {
    const { one } = given(async (job) => {
      const report = join(await job.folder(), "report");
      await mkdir(report);
      await writeFile(join(report, "found"), await readFile(join(await job.input("Source"), "README")));
      await writeFile(join(report, "object"), await readFile(await job.inputFile("Source")));
      await job.output("Report", "report");
      return { kind: "succeeded" };
    });
    const call = aCall();
    await one.run(call);
    expect(call.workspace.uploaded["Report"]).toEqual({ found: "of Source", object: "object of Source" });
    expect(call.log.messages).toEqual([]);
  });

  it("warns of a declared output that a success did not upload", async () => {
    const { one } = given(async () => ({ kind: "succeeded" }));
    const call = aCall();
    await one.run(call);
    expect(call.log.lines).toMatchObject([
      {
        level: "warn",
        message: "the handler succeeded without uploading the output artifact Report; a later action may miss it",
      },
    ]);
  });

  it("says nothing of outputs when the job continues or fails", async () => {
    const { one } = given(async (job) => ({ kind: job.configuration["end"] }));
    for (const end of ["continued", "failed"]) {
      const call = aCall({ configuration: { end } });
      await one.run(call);
      expect(call.log.messages).toEqual([]);
    }
  });
});

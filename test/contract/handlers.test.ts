// One suite for handlers of every kind: what the engine may count on, whoever wrote the handler and in what.
import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { HandlerSettings, HandlersOptions } from "../../src/handlers/registry.js";
import { Deadline } from "../../src/std/deadline.js";
import { type Built, build, fixture, graceMs, outcomeOf, realTime } from "../fixtures/handlers/build.js";
import { aCall, type TestCall } from "../fixtures/handlers/call.js";
import { commonBehaviours, type Service, startService } from "../fixtures/handlers/service.js";
import { moduleHandler } from "../support/module-handler.js";

interface Kind {
  readonly name: string;
  readonly kind: "module" | "command" | "http";
  settings(behaviour: string): Promise<HandlerSettings>;
  /** Resolves when the handler is at work on the call. */
  started(call: TestCall): Promise<unknown>;
}

let service: Service | undefined;
const built: Built[] = [];

const kinds: readonly Kind[] = [
  {
    name: "module",
    kind: "module",
    settings: async (behaviour) => moduleHandler(fixture(`module/${behaviour}.js`)),
    started: (call) => call.log.has("started"),
  },
  {
    name: "module in a thread",
    kind: "module",
    settings: async (behaviour) => moduleHandler(fixture(`module/${behaviour}.js`), "thread"),
    started: (call) => call.log.has("started"),
  },
  {
    name: "command",
    kind: "command",
    settings: async (behaviour) => ({ kind: "command", command: [fixture(`command/${behaviour}.sh`)], env: {} }),
    started: (call) => call.log.has("started"),
  },
  {
    name: "http",
    kind: "http",
    settings: async (behaviour) => {
      service ??= await startService(commonBehaviours);
      return { kind: "http", url: `${service.url}/${behaviour}`, requestTimeoutMs: 600_000 };
    },
    started: async () => service?.request(1),
  },
];

afterEach(async () => {
  await Promise.all(built.splice(0).map((each) => each.close()));
  await service?.close();
  service = undefined;
});

describe.each(kinds)("a $name handler", (kind) => {
  const open = async (behaviour: string, overrides: Partial<HandlersOptions> = {}): Promise<Built> => {
    const one = await build(await kind.settings(behaviour), overrides);
    built.push(one);
    return one;
  };

  it("names its kind and describes itself without a query", async () => {
    const { handler } = await open("succeeds");
    expect(handler.kind).toBe(kind.kind);
    expect(handler.description).toContain("succeeds");
  });

  it("gives a success, made of what the job document says", async () => {
    const { handler } = await open("succeeds");
    const call = aCall({ configuration: { Target: "branch-7" } });
    expect(await outcomeOf(handler.run(call), call)).toEqual({ kind: "succeeded", summary: "scanned branch-7" });
  });

  it("gives a continuation", async () => {
    const { handler } = await open("continues");
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toEqual({
      kind: "continued",
      continuationToken: "build-17",
      percentComplete: 40,
    });
  });

  it("gives a failure of the handler's choice", async () => {
    const { handler } = await open("fails");
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toEqual({
      kind: "failed",
      type: "RevisionOutOfSync",
      message: "the revision moved on",
    });
  });

  it("fails the job when the handler crashes, and says how", async () => {
    const { handler, clock } = await open("crashes");
    const call = aCall({ deadline: Deadline.in(clock, 3_600_000) });
    call.log.onLine((line) => {
      const { delayMs: waitMs } = line.fields;
      if (waitMs !== undefined) void clock.advance(Number(waitMs) + 1);
    });
    const outcome = await outcomeOf(handler.run(call), call);
    expect(outcome).toMatchObject(
      kind.kind === "http"
        ? { kind: "failed", type: "SystemUnavailable", message: expect.stringContaining("ECONNRESET") }
        : { kind: "failed", type: "JobFailed", message: expect.stringContaining("out of cheese") },
    );
  });

  it("calls an outcome that is none the handler's fault", async () => {
    const { handler } = await open("returns-nonsense");
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toMatchObject({
      kind: "failed",
      type: "JobFailed",
      message: expect.stringContaining('"triumph"'),
    });
  });

  it(`takes no outcome at all for ${kind.kind === "command" ? "the success that exit 0 is" : "a fault"}`, async () => {
    const { handler } = await open("returns-nothing");
    const call = aCall();
    const outcome = await outcomeOf(handler.run(call), call);
    if (kind.kind === "command") expect(outcome).toEqual({ kind: "succeeded" });
    else expect(outcome).toMatchObject({ kind: "failed", message: expect.stringContaining("nothing") });
  });

  it("stops a run when its signal aborts, and rejects with the reason", async () => {
    const { handler } = await open("hangs-until-abort", realTime);
    const call = aCall();
    const run = handler.run(call);
    await kind.started(call);
    const reason = new Error("the deadline passed");
    const ended = expect(run).rejects.toBe(reason);
    call.abort(reason);
    await ended;
  });

  it("settles after the grace when the handler ignores the abort", async () => {
    const { handler, clock, abandoned } = await open("ignores-abort");
    const call = aCall();
    const run = handler.run(call);
    await kind.started(call);
    const reason = new Error("the deadline passed");
    const ended = run.then(
      () => "resolved",
      (error: unknown) => error,
    );
    call.abort(reason);
    await clock.advance(graceMs);
    const error = await ended;
    expect(clock.pending).toBe(0);
    if (kind.kind === "module") {
      expect(error).toMatchObject({ name: "HandlerAbandoned", cause: reason });
      expect(abandoned).toEqual([call]);
    } else {
      expect(error).toBe(reason);
      expect(abandoned).toEqual([]);
    }
  });

  it("starts nothing for a call that is aborted already", async () => {
    const { handler } = await open("succeeds");
    const call = aCall();
    const reason = new Error("too late");
    call.abort(reason);
    await expect(handler.run(call)).rejects.toBe(reason);
    expect(service?.requests ?? []).toEqual([]);
    expect(call.log.lines).toEqual([]);
  });

  it("takes a large outcome", async () => {
    const { handler } = await open("says-very-much");
    const call = aCall();
    const outcome = await outcomeOf(handler.run(call), call);
    expect(outcome).toMatchObject({ kind: "succeeded", summary: expect.stringMatching(/^x+ … \[truncated/) });
  });

  it("has its texts made well-formed, whatever it puts into them", async () => {
    const { handler } = await open("says-broken-characters");
    const call = aCall();
    expect(await outcomeOf(handler.run(call), call)).toEqual({
      kind: "succeeded",
      summary: "a\ufffdb\ufffdc",
      externalExecutionId: "\ufffd",
    });
  });

  it("works fifty jobs at once, each on its own", async () => {
    const { handler } = await open("echoes-its-job");
    const calls = Array.from({ length: 50 }, (_, n) => aCall({ jobId: `job-${n}` }));
    const outcomes = await Promise.all(calls.map((call) => outcomeOf(handler.run(call), call)));
    expect(outcomes).toEqual(calls.map((call) => ({ kind: "succeeded", summary: call.job.key.jobId })));
  });

  it("leaves no listener on the engine's signals and no timer behind", async () => {
    const { handler, clock } = await open("succeeds");
    const call = aCall();
    const listeners = countListeners(call.signal) + countListeners(call.draining);
    await handler.run(call);
    expect(countListeners(call.signal) + countListeners(call.draining)).toBe(listeners);
    expect(clock.pending).toBe(0);
  });

  it("ends its runs when it is closed, and takes no more", async () => {
    const { handler } = await open("hangs-until-abort", realTime);
    const call = aCall();
    const run = handler.run(call);
    await kind.started(call);
    const ended = expect(run).rejects.toMatchObject({ name: "HandlerClosed" });
    await handler.close();
    await ended;
    await expect(handler.run(aCall())).rejects.toMatchObject({ name: "HandlerClosed" });
    await expect(handler.close()).resolves.toBeUndefined();
  });
});

/** How many abort listeners a signal has, by Node's own count. */
function countListeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

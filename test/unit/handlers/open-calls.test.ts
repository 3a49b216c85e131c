import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { OpenCalls } from "../../../src/handlers/open-calls.js";

/** Work that ends only by its signal. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

describe("OpenCalls", () => {
  it("gives each call a signal of its own, which follows the engine's with its reason", async () => {
    const calls = new OpenCalls();
    const engine = new AbortController();
    let own: AbortSignal | undefined;
    const run = calls.within(engine.signal, (signal) => {
      own = signal;
      return untilAborted(signal);
    });
    expect(own).not.toBe(engine.signal);
    expect(calls.count).toBe(1);
    engine.abort("the reason");
    await expect(run).rejects.toBe("the reason");
    expect(calls.count).toBe(0);
  });

  it("takes its listener away when the call ends, however it ends", async () => {
    const calls = new OpenCalls();
    const { signal } = new AbortController();
    await calls.within(signal, async () => "done");
    await expect(calls.within(signal, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(
      calls.within(signal, () => {
        throw new Error("at once");
      }),
    ).rejects.toThrow("at once");
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(calls.count).toBe(0);
  });

  it("does not begin work under a signal that has aborted", async () => {
    const calls = new OpenCalls();
    let begun = 0;
    const run = calls.within(AbortSignal.abort("too late"), async () => {
      begun += 1;
    });
    await expect(run).rejects.toBe("too late");
    expect(begun).toBe(0);
    expect(calls.count).toBe(0);
  });

  it("ends every call at close and waits for all of them", async () => {
    const calls = new OpenCalls();
    const { signal } = new AbortController();
    const ended: string[] = [];
    const runs = ["a", "b"].map((name) =>
      calls.within(signal, untilAborted).catch((error: unknown) => {
        ended.push(`${name}: ${String(error)}`);
      }),
    );
    await calls.close();
    await Promise.all(runs);
    expect(ended).toEqual(["a: HandlerClosed: the handler was closed", "b: HandlerClosed: the handler was closed"]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

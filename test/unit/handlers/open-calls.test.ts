import { describe, expect, it } from "vitest";
import { OpenCalls } from "../../../src/handlers/open-calls.js";

/** Work that ends only by its signal. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

class AbortableCall {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }
}

describe("OpenCalls", () => {
  it("counts a call until it ends, however it ends", async () => {
    const calls = new OpenCalls();
    const call = new AbortableCall();
    const run = calls.within(call, () => untilAborted(call.signal));
    expect(calls.count).toBe(1);
    call.abort("the reason");
    await expect(run).rejects.toBe("the reason");
    expect(calls.count).toBe(0);
    await calls.within(new AbortableCall(), async () => "done");
    await expect(calls.within(new AbortableCall(), () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(
      calls.within(new AbortableCall(), () => {
        throw new Error("at once");
      }),
    ).rejects.toThrow("at once");
    expect(calls.count).toBe(0);
  });

  it("does not begin work under a signal that has aborted", async () => {
    const calls = new OpenCalls();
    let begun = 0;
    const call = new AbortableCall();
    call.abort("too late");
    const run = calls.within(call, async () => {
      begun += 1;
    });
    await expect(run).rejects.toBe("too late");
    expect(begun).toBe(0);
    expect(calls.count).toBe(0);
  });

  it("ends every call at close and waits for all of them", async () => {
    const calls = new OpenCalls();
    const ended: string[] = [];
    const runs = ["a", "b"].map((name) => {
      const call = new AbortableCall();
      return calls
        .within(call, () => untilAborted(call.signal))
        .catch((error: unknown) => {
          ended.push(`${name}: ${String(error)}`);
        });
    });
    await calls.close();
    await Promise.all(runs);
    expect(ended).toEqual(["a: HandlerClosed: the handler was closed", "b: HandlerClosed: the handler was closed"]);
  });
});

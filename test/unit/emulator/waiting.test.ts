import { expect, test } from "vitest";
import type { EmulatorEvent } from "../../../src/emulator/emulator-events.js";
import { Events } from "../../../src/emulator/emulator-events.js";
import type { WaitOptions } from "../../../src/emulator/waiting.js";
import { waitUntil } from "../../../src/emulator/waiting.js";

const changed: EmulatorEvent = {
  type: "job-changed",
  atMs: 0,
  jobId: "j",
  region: "us-east-1",
  actionType: "ThirdParty/Test/Acme/1",
  to: "Queued",
};

function setUp() {
  const events = new Events();
  const closing = new AbortController();
  const wait = <Value>(probe: (event?: EmulatorEvent) => Value | undefined | false, options: WaitOptions = {}) =>
    waitUntil(probe, { events, closing: closing.signal, options, describe: () => "jobs: none" });
  return { events, closing, wait };
}

test("a wait ends at once when what it waits for is there already", async () => {
  await expect(setUp().wait(() => "there")).resolves.toBe("there");
});

test("a wait looks again at every event, and no more once it has ended", async () => {
  const { events, wait } = setUp();
  let looks = 0;
  const waiting = wait(() => ++looks === 3);
  for (let times = 0; times < 5; times++) events.emit(changed);
  await expect(waiting).resolves.toBe(true);
  expect(looks).toBe(3);
});

test.each([
  ["its signal", "was aborted"],
  ["the emulator's end", "was closed"],
] as const)("a wait ends with %s, before or during", async (cause, message) => {
  for (const isBefore of [true, false]) {
    const { closing, wait } = setUp();
    const leaving = new AbortController();
    const end = () => (cause === "its signal" ? leaving.abort() : closing.abort());
    if (isBefore) end();
    const waiting = wait(() => undefined, { signal: leaving.signal, what: "the moon" });
    if (!isBefore) end();
    await expect(waiting).rejects.toThrow(new RegExp(`the moon did not come: .*${message}; jobs: none`));
  }
});

test("a wait ends at its limit and says what it waited for", async () => {
  await expect(setUp().wait(() => undefined, { limitMs: 1, what: "the moon" })).rejects.toThrow(
    "the moon did not come: 1 ms are over; jobs: none",
  );
});

test("a probe that throws ends its wait with that error", async () => {
  const { events, wait } = setUp();
  const waiting = wait((event) => {
    if (event) throw new Error("bad probe");
    return undefined;
  });
  events.emit(changed);
  await expect(waiting).rejects.toThrow("bad probe");
});

test("a listener that ended its subscription hears nothing more", () => {
  const { events } = setUp();
  const heard: EmulatorEvent[] = [];
  const end = events.on((event) => heard.push(event));
  events.emit(changed);
  end();
  end();
  events.emit(changed);
  expect(heard).toEqual([changed]);
});

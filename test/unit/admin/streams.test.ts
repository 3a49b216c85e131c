// The live part of the status page: what is sent to whom and when, and what a page may cost.
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { Streams } from "../../../src/admin/streams.js";
import { FakeClock } from "../../support/fake-clock.js";

/** As much of a response as a stream uses. */
class Page extends EventEmitter {
  readonly sent: { event: string; data: Record<string, unknown> }[] = [];
  writableLength = 0;
  isEnded = false;

  write(text: string): boolean {
    const [, event, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(text) ?? [];
    if (event !== undefined && data !== undefined) this.sent.push({ event, data: JSON.parse(data) });
    return true;
  }

  end(): void {
    this.isEnded = true;
    this.emit("close");
  }

  destroy(): void {
    this.emit("close");
  }

  events(): readonly string[] {
    return this.sent.splice(0).map(({ event, data }) => (data["sections"] ? JSON.stringify(data["sections"]) : event));
  }
}

function given() {
  const clock = new FakeClock();
  const now: { sections: Record<string, string>; fault?: Error } = { sections: { a: "1", b: "1" } };
  const faults: unknown[] = [];
  let looks = 0;
  const look = () => {
    looks += 1;
    if (now.fault) throw now.fault;
    const sections = { ...now.sections };
    const sectionsFor = () => new Map(Object.entries(sections).map(([name, text]) => [name, () => text]));
    return { atMs: clock.now(), sectionsFor };
  };
  const streams = new Streams({ clock, version: "1.2.3", look, onFault: (error) => faults.push(error) });
  const open = (channel = "") => {
    const page = new Page();
    streams.open(page as unknown as ServerResponse, channel);
    return page;
  };
  return { clock, now, faults, streams, open, looks: () => looks };
}

describe("a stream", () => {
  it("begins with everything, then sends what changed, once a second at most", async () => {
    const { clock, now, open } = given();
    const page = open();
    expect(page.sent[0]).toEqual({ event: "hello", data: { version: "1.2.3" } });
    expect(page.events()).toEqual(["hello", '{"a":"1","b":"1"}']);
    now.sections["b"] = "2";
    now.sections["b"] = "3";
    await clock.advance(999);
    expect(page.events()).toEqual([]);
    await clock.advance(1);
    expect(page.events()).toEqual(['{"b":"3"}']);
  });

  it("beats when there is no news", async () => {
    const { clock, open } = given();
    const page = open();
    page.events();
    await clock.advance(30_000);
    expect(page.events()).toEqual(["beat", "beat", "beat"]);
  });

  it("misses nothing that changes while others join", async () => {
    const { clock, now, open } = given();
    const first = open();
    now.sections["a"] = "2";
    const second = open();
    now.sections["a"] = "1";
    await clock.advance(1_000);
    expect(first.events().at(-1)).toBe('{"a":"1"}');
    expect(second.events()).toEqual(["hello", '{"a":"2","b":"1"}', '{"a":"1"}']);
  });

  it("costs nothing once nobody watches", async () => {
    const { clock, open, streams, looks } = given();
    const [one, other] = [open(), open()];
    one.emit("close");
    other.emit("close");
    const before = looks();
    await clock.advance(60_000);
    expect([looks(), clock.pending, streams.size]).toEqual([before, 0, 0]);
    open();
    expect(clock.pending).toBe(1);
  });

  it("makes the sections once, however many watch, and takes twenty at most", async () => {
    const { clock, open, streams, looks } = given();
    for (let at = 0; at < 20; at++) open();
    expect(streams.hasRoom).toBe(false);
    const before = looks();
    await clock.advance(5_000);
    expect(looks() - before).toBe(5);
  });

  it("drops a page that does not read, and keeps the others", async () => {
    const { clock, now, open, streams } = given();
    const [slow, quick] = [open(), open()];
    slow.writableLength = 2_000_000;
    now.sections["a"] = "2";
    await clock.advance(1_000);
    expect(streams.size).toBe(1);
    expect(quick.events().at(-1)).toBe('{"a":"2"}');
  });

  it("goes on after the sections could not be made", async () => {
    const { clock, now, faults, open } = given();
    const page = open();
    page.events();
    now.fault = new Error("broken");
    await clock.advance(2_000);
    expect(faults).toEqual([now.fault, now.fault]);
    delete now.fault;
    now.sections["a"] = "2";
    await clock.advance(1_000);
    expect(page.events()).toEqual(['{"a":"2"}']);
  });

  it("tells the end, and takes nobody on after it", async () => {
    const { clock, now, open, streams } = given();
    const page = open();
    // What has used up the budget of this moment keeps nothing from the last frame.
    now.sections["b"] = "x".repeat(100_000);
    await clock.advance(1_000);
    page.events();
    now.sections["a"] = "stopped";
    streams.close();
    expect(page.events()).toEqual(['{"a":"stopped"}', "end"]);
    expect([page.isEnded, streams.hasRoom, clock.pending]).toEqual([true, false, 0]);
  });
});

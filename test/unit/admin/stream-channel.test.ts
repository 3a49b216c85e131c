// What a page may cost while everything changes all the time, and that it gets everything nevertheless.
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { StreamChannel } from "../../../src/admin/stream-channel.js";
import { FakeClock } from "../../support/fake-clock.js";

function given() {
  const clock = new FakeClock();
  const channel = new StreamChannel(clock, "1.2.3");
  const sent: Record<string, string>[] = [];
  const sizes: number[] = [];
  const response = {
    writableLength: 0,
    write: (text: string) => {
      sizes.push(text.length);
      const [, data = "{}"] = /^event: sections\ndata: (.*)\n\n$/.exec(text) ?? [];
      const { sections } = JSON.parse(data) as { sections?: Record<string, string> };
      if (sections) sent.push(sections);
    },
    end: () => {},
  } as unknown as ServerResponse;
  let made = 0;
  const parts = (version: number) => {
    const big = (name: string) => () => {
      made += 1;
      return `${name}${version}`.padEnd(20_000, "x");
    };
    return new Map([
      ["jobs", big("jobs")],
      ["outcomes", big("outcomes")],
      ["failures", big("failures")],
      ["verdict", () => `verdict${version}`],
    ]);
  };
  return { clock, channel, sent, sizes, response, parts, made: () => made };
}

describe("a channel", () => {
  it("keeps within its budget while all changes each second, and says at once what is urgent", async () => {
    const { clock, channel, sent, sizes, response, parts } = given();
    channel.join(response, 0, parts(0));
    sizes.length = sent.length = 0;
    for (let at = 1; at <= 60; at++) {
      await clock.advance(1_000);
      channel.tick(clock.now(), parts(at), false);
      expect(sent.at(-1)?.["verdict"]).toBe(`verdict${at}`);
    }
    const perSecond = sizes.reduce((sum, size) => sum + size, 0) / 60;
    expect(perSecond).toBeGreaterThan(8_000);
    expect(perSecond).toBeLessThan(14_000);
    // None of them starves.
    for (const name of ["jobs", "outcomes", "failures"]) {
      expect(sent.filter((sections) => name in sections).length).toBeGreaterThan(8);
    }
  });

  it("of long lists sends each of them in time, too", async () => {
    const { clock, channel, sent, response } = given();
    const parts = (version: number) => new Map([["jobs", () => `jobs${version}`.padEnd(600_000, "x")]]);
    channel.join(response, 0, parts(0));
    sent.length = 0;
    for (let at = 1; at <= 60; at++) {
      await clock.advance(1_000);
      channel.tick(clock.now(), parts(at), false);
    }
    expect(sent.length).toBeGreaterThanOrEqual(4);
    expect(sent.length).toBeLessThanOrEqual(7);
  });

  it("sends everything at the end, whatever it costs", async () => {
    const { clock, channel, sent, response, parts } = given();
    channel.join(response, 0, parts(0));
    for (let at = 1; at <= 5; at++) {
      await clock.advance(1_000);
      channel.tick(clock.now(), parts(at), false);
    }
    channel.tick(clock.now(), parts(6), true);
    expect(Object.values(sent.at(-1) ?? {}).every((text) => /^[a-z]+6/.test(text))).toBe(true);
    expect(Object.keys(sent.at(-1) ?? {})).toHaveLength(4);
  });

  it("never says how much is owed without saying what", async () => {
    const { clock, channel, sent, response, parts } = given();
    const withOwed = (version: number, owed: number) =>
      new Map([...parts(version), ["owed-count", () => `${owed}`], ["owed", () => `list of ${owed}`]]);
    channel.join(response, 0, withOwed(0, 3));
    for (let at = 1; at <= 20; at++) {
      await clock.advance(1_000);
      channel.tick(clock.now(), withOwed(at, Math.ceil(at / 3)), false);
      const { "owed-count": count, owed } = sent.at(-1) ?? {};
      if (count !== undefined) expect(owed).toBe(`list of ${count}`);
    }
  });

  it("makes no list that it does not send", async () => {
    const { clock, channel, response, parts, made } = given();
    channel.join(response, 0, parts(0));
    for (let at = 1; at <= 60; at++) {
      await clock.advance(1_000);
      channel.tick(clock.now(), parts(at), false);
    }
    expect(made()).toBeLessThan(60);
  });
});

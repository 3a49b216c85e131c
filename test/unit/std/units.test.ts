import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatDuration,
  formatSize,
  likelyDuration,
  likelySize,
  parseDuration,
  parseSize,
} from "../../../src/std/units.js";

describe("durations", () => {
  it.each([
    ["500ms", 500],
    ["0s", 0],
    ["10s", 10_000],
    ["30m", 1_800_000],
    ["2h", 7_200_000],
    ["007s", 7_000],
  ])("reads %s as %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    "10",
    "",
    "s",
    "10 s",
    " 10s",
    "10s ",
    "10S",
    "10sec",
    "1.5s",
    "-1s",
    "+1s",
    "1e3s",
    "1h30m",
    "1d",
    "10s\n",
  ])("reads %j as nothing", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("reads back whatever it writes", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it("never reads a part of a text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (parseDuration(text) !== undefined) expect(text).toMatch(/^[0-9]+(ms|s|m|h)$/);
      }),
    );
  });

  it.each([
    ["10", "10s"],
    ["10 s", "10s"],
    ["10sec", "10s"],
    ["1.5s", "1500ms"],
    ["5 Minutes", "5m"],
    ["120s", "2m"],
    ["1d", "24h"],
    ["1h30m", "90m"],
    ["1 hour and 30 min", "90m"],
    ["PT1H30M", "90m"],
    ["01:30:00", "90m"],
    ["2 weeks", "336h"],
    ["1h30", undefined],
    ["1h30x", undefined],
    ["soon", undefined],
    ["5 constructor", undefined],
  ])("takes %j for %j", (text, likely) => {
    expect(likelyDuration(text)).toBe(likely);
  });

  it("suggests only what it can read", () => {
    const written = fc.tuple(fc.nat({ max: 1e9 - 1 }), fc.constantFrom("", "ms", " s", "sec", "min", "hours", "x"));
    fc.assert(
      fc.property(written, ([number, unit]) => {
        const likely = likelyDuration(`${number}${unit}`);
        if (likely !== undefined) expect(parseDuration(likely)).toBeDefined();
      }),
    );
  });
});

describe("sizes", () => {
  it.each([
    ["0B", 0],
    ["512B", 512],
    ["10MiB", 10_485_760],
    ["2GiB", 2_147_483_648],
    ["8TiB", 8_796_093_022_208],
  ])("reads %s as %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["10", "10MB", "10 MiB", "10mib", "1.5GiB", "-1B", "99999999999999TiB", ""])(
    "reads %j as nothing",
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );

  it("reads back whatever it writes", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });

  it.each([
    ["10MB", "10MiB"],
    ["10m", "10MiB"],
    ["5 gb", "5GiB"],
    ["10", "10MiB"],
    ["1.5GiB", "1536MiB"],
    ["10,000 KB", "10000KiB"],
    ["512 bytes", "512B"],
    ["large", undefined],
  ])("takes %j for %j", (text, likely) => {
    expect(likelySize(text)).toBe(likely);
  });
});

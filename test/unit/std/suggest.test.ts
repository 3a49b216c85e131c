import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearest } from "../../../src/std/suggest.js";

const keys = ["minInterval", "maxInterval", "maxConcurrentJobs", "regions", "log", "url", "path"];

describe("nearest", () => {
  it.each([
    ["minIntervall", "minInterval"],
    ["mininterval", "minInterval"],
    ["min_interval", "minInterval"],
    ["min-interval", "minInterval"],
    ["maxConcurentJobs", "maxConcurrentJobs"],
    ["regoins", "regions"],
    ["region", "regions"],
    ["lgo", "log"],
    ["ulr", "url"],
  ])("finds what %j was meant to be", (word, meant) => {
    expect(nearest(word, keys)).toBe(meant);
  });

  it.each(["xyz", "", "timeout", "p".repeat(100), "concurrency"])("stays silent about %j", (word) => {
    expect(nearest(word, keys)).toBeUndefined();
  });

  it("finds a word with one letter changed, dropped or doubled", () => {
    const slip = fc.constantFrom("drop", "double", "change");
    fc.assert(
      fc.property(
        fc.constantFrom("maxConcurrentJobs", "clientTokens", "actionTypes"),
        fc.nat(10),
        slip,
        (word, at, how) => {
          const letter = how === "drop" ? "" : how === "double" ? `${word[at]}${word[at]}` : "x";
          expect(nearest(`${word.slice(0, at)}${letter}${word.slice(at + 1)}`, [word, "polling", "log"])).toBe(word);
        },
      ),
    );
  });
});

// What a message repeats of somebody's words is short, on one line, and shows all that is in it.
import { expect, it } from "vitest";
import { quote } from "../../../src/std/quote.js";

it.each([
  ['"one word"', "one word"],
  ['"a \\"quoted\\" one"', 'a "quoted" one'],
  ['"two\\nlines"', "two\nlines"],
  ['"no\\u{a0}break, \\u{200b}nothing"', "no\u00a0break, \u200bnothing"],
  ['"half a \\ud800 pair"', "half a \ud800 pair"],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["12", 12n],
  ["undefined", undefined],
])("writes %s", (expected, value) => expect(quote(value)).toBe(expected));

it("cuts what is long", () => {
  expect(quote("x".repeat(79))).toBe(`"${"x".repeat(76)}…`);
  expect(quote("x".repeat(78))).toBe(`"${"x".repeat(78)}"`);
});

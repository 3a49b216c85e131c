import { expect, it } from "vitest";
import { oneLine } from "../../../src/std/one-line.js";

it.each([
  ["two\r\nlines\tand tabs ", "two lines and tabs"],
  ["a\u001b[31mred\u001b[0m", "a [31mred [0m"],
  ["turned \u202eround", "turned round"],
  ["\u0000\u007f\u2028", ""],
])("makes one line of %j, by which no terminal is steered", (text, line) => {
  expect(oneLine(text)).toBe(line);
});

// The smallest parts of an answer: a nonce, a text of limited length, a list.
import { describe, expect, it } from "vitest";
import { readList, readNonce, requiredText, UnreadableAnswer } from "../../../src/codepipeline/answers.js";

describe("a nonce", () => {
  it.each(["3", "n".repeat(50)])("is any text of at most fifty characters: %s", (nonce) => {
    expect(readNonce(nonce)).toBe(nonce);
  });

  it.each<readonly [unknown, string]>([
    [undefined, "the answer has no nonce"],
    [null, "the answer has no nonce"],
    ["", "the answer has no nonce"],
    [3, "the answer's nonce is no text"],
    [{}, "the answer's nonce is no text"],
    [["3"], "the answer's nonce is no text"],
    ["n".repeat(51), "the answer's nonce has 51 characters (at most 50)"],
  ])("is refused when it is %o", (nonce, words) => {
    expect(() => readNonce(nonce)).toThrow(UnreadableAnswer);
    expect(() => readNonce(nonce)).toThrow(words);
  });

  it("is not shown when it is refused", () => {
    expect(() => requiredText("hidden".repeat(100), "clientToken", 256)).toThrow(/^(?!.*hidden).*600 characters/);
  });
});

describe("a list", () => {
  it("is itself, or empty when it is absent", () => {
    const list = [1, 2];
    expect(readList(list, "jobs")).toBe(list);
    expect(readList(undefined, "jobs")).toEqual([]);
    expect(readList(null, "jobs")).toEqual([]);
  });

  it.each([["jobs"], [0], [{ length: 0 }], [true]])("is refused when it is %o", (value) => {
    expect(() => readList(value as unknown as undefined, "jobs")).toThrow("the answer's jobs is no list");
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  apiText,
  cut,
  isArtifactName,
  isCarriable,
  limits,
  outputVariableName,
  outputVariablesMaxBytes,
  percentMax,
  shorten,
  shortenFront,
} from "../../../src/job/limits.js";

const mark = " … [truncated by partnerd]";
const frontMark = "[truncated by partnerd] … ";

/** Texts of whole characters, many of them outside the basic plane. */
const wholeText = fc.string({ unit: fc.constantFrom("a", "é", "漢", "😀", "👩‍👩‍👧", "\n", "🏳️‍🌈"), maxLength: 120 });
/** Any UTF-16 units at all, halves of pairs included. */
const anyUnits = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd7ff, max: 0xe000 })), { maxLength: 120 })
  .map((units) => String.fromCharCode(...units));
const max = fc.integer({ min: 0, max: 150 });

describe("the limits", () => {
  it("are those of CodePipeline's service model and quotas", () => {
    expect({ ...limits, outputVariablesMaxBytes, percentMax }).toEqual({
      failureMessage: 5_000,
      executionSummary: 2_048,
      externalExecutionId: 1_500,
      continuationToken: 2_048,
      revision: 1_500,
      revisionChangeIdentifier: 100,
      revisionSummary: 2_048,
      clientToken: 256,
      nonce: 50,
      thirdPartyJobId: 512,
      outputVariablesMaxBytes: 122_880,
      percentMax: 100,
    });
  });
});

describe("cut", () => {
  it("keeps a text that fits as it is", () => {
    expect(cut("abc", 3)).toBe("abc");
    expect(cut("", 0)).toBe("");
  });

  it("drops the half of a pair that would be left at the end", () => {
    expect(cut("ab😀", 3)).toBe("ab");
    expect(cut("ab😀", 4)).toBe("ab😀");
    expect(cut("😀", 1)).toBe("");
    expect(cut("😀😀", 3)).toBe("😀");
  });

  it("knows the first and the last half of each sort, and nothing beside them", () => {
    for (const high of ["\ud800", "\udbff"]) expect(cut(`a${high}\udc00`, 2)).toBe("a");
    for (const other of ["\ud7ff", "\udc00", "\udfff", "\ue000"]) expect(cut(`a${other}b`, 2)).toBe(`a${other}`);
  });

  it("gives at most max units, always a beginning of the text", () => {
    fc.assert(
      fc.property(anyUnits, max, (text, most) => {
        const result = cut(text, most);
        expect(result.length).toBeLessThanOrEqual(most);
        expect(text.startsWith(result)).toBe(true);
        // It gives away no more than the one unit that would have been half a pair.
        expect(result.length).toBeGreaterThanOrEqual(Math.min(text.length, most) - 1);
      }),
    );
  });
});

describe.each([
  ["shorten", shorten, mark],
  ["shortenFront", shortenFront, frontMark],
] as const)("%s", (_name, shortened, itsMark) => {
  it("is never longer than max, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(wholeText, anyUnits), max, (text, most) => {
        expect(shortened(text, most).length).toBeLessThanOrEqual(most);
      }),
    );
  });

  it("never leaves half a character of a text that was whole", () => {
    fc.assert(
      fc.property(wholeText, max, (text, most) => {
        expect(shortened(text, most).isWellFormed()).toBe(true);
      }),
    );
  });

  it("shows the mark whenever it takes something away and the mark has room", () => {
    fc.assert(
      fc.property(anyUnits, max, (text, most) => {
        const result = shortened(text, most);
        if (text.length <= most) expect(result).toBe(text);
        else if (most > itsMark.length) expect(result).toContain(itsMark);
        else expect(result).not.toContain(itsMark);
      }),
    );
  });

  it("leaves a text of exactly max as it is, and uses exactly max for a longer one", () => {
    for (const most of [1, itsMark.length - 1, itsMark.length, itsMark.length + 1, 99]) {
      expect(shortened("x".repeat(most), most)).toBe("x".repeat(most));
      expect(shortened("x".repeat(most + 1), most)).toHaveLength(most);
    }
    expect(shortened("x".repeat(99), itsMark.length)).toBe("x".repeat(itsMark.length));
  });

  it("uses the room it has: at most one unit is given away", () => {
    fc.assert(
      fc.property(anyUnits, max, (text, most) => {
        const room = Math.min(text.length, most);
        expect(shortened(text, most).length).toBeGreaterThanOrEqual(room - 1);
      }),
    );
  });
});

describe("shorten", () => {
  it("keeps the beginning and marks the end", () => {
    const result = shorten("x".repeat(6_000), limits.failureMessage);
    expect(result).toHaveLength(5_000);
    expect(result.endsWith(mark)).toBe(true);
    expect(result.startsWith("xxxx")).toBe(true);
  });

  it("cuts a pair that lies across the cut whole", () => {
    const max = 60;
    const keep = max - mark.length;
    const text = `${"a".repeat(keep - 1)}😀${"b".repeat(50)}`;
    expect(shorten(text, max)).toBe(`${"a".repeat(keep - 1)}${mark}`);
  });

  it("takes a text of a hundred million characters in its stride", () => {
    expect(shorten("y".repeat(100_000_000), limits.executionSummary)).toHaveLength(2_048);
  });
});

describe("shortenFront", () => {
  it("keeps the end and marks the front", () => {
    const result = shortenFront(`${"x".repeat(6_000)}the cause`, 100);
    expect(result).toHaveLength(100);
    expect(result.startsWith(frontMark)).toBe(true);
    expect(result.endsWith("the cause")).toBe(true);
  });

  it("drops the half of a pair that would be left at the front", () => {
    for (const low of ["\udc00", "\udfff"]) expect(shortenFront(`ab\ud83d${low}c`, 2)).toBe("c");
    for (const other of ["\ud7ff", "\udbff", "\ue000"]) expect(shortenFront(`ab${other}c`, 2)).toBe(`${other}c`);
  });

  it("keeps the end even where the mark has no room", () => {
    expect(shortenFront("a long story and the cause", 5)).toBe("cause");
    expect(shortenFront("abc", 0)).toBe("");
  });
});

describe("apiText", () => {
  it.each([
    ["a NUL", "a\0b", "a\ufffdb"],
    ["a high surrogate alone", "a\ud83db", "a\ufffdb"],
    ["a low surrogate at the start", "\ude00b", "\ufffdb"],
    ["a high surrogate at the end", "a\ud83d", "a\ufffd"],
    ["a pair the wrong way round", "\ude00\ud83d", "\ufffd\ufffd"],
    ["a high surrogate before a pair", "\ud83d\ud83d\ude00", "\ufffd\ud83d\ude00"],
    ["escape sequences", "\u001b[31mred\u001b[0m", "\ufffd[31mred\ufffd[0m"],
    ["backspace, vertical tab, form feed", "\b\v\f", "\ufffd\ufffd\ufffd"],
    ["what is no character", "\ufffe\uffff", "\ufffd\ufffd"],
  ])("replaces %s", (_what, text, expected) => {
    expect(apiText(text, 100)).toBe(expected);
  });

  it.each(["", "plain", "line\r\nend\tand tab", "é漢😀", "👩‍👩‍👧", "\u0085\u200e\ufffd", "\u{10ffff}"])(
    "leaves %j as it is",
    (text) => {
      expect(apiText(text, 100)).toBe(text);
    },
  );

  it("is always short enough, well-formed and free of what XML cannot hold, and as long as shorten makes it", () => {
    const fit = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;
    fc.assert(
      fc.property(anyUnits, max, (text, most) => {
        const result = apiText(text, most);
        expect(result).toMatch(fit);
        expect(result).toHaveLength(shorten(text, most).length);
        expect(apiText(result, most)).toBe(result);
      }),
    );
  });

  it("changes no text of whole characters that fits", () => {
    fc.assert(
      fc.property(wholeText, (text) => {
        expect(apiText(text, text.length)).toBe(text);
      }),
    );
  });
});

describe("a value that arrives as it is", () => {
  it("survives JSON in UTF-8, and holds no NUL", () => {
    fc.assert(
      fc.property(anyUnits, (text) => {
        const isKept = Buffer.from(text, "utf8").toString("utf8") === text && !text.includes("\0");
        expect(isCarriable(text)).toBe(isKept);
      }),
    );
  });
});

describe("names of output variables", () => {
  it.each(["a", "A-1_b@c", "9", "__proto__"])("takes %j", (name) => {
    expect(outputVariableName.test(name)).toBe(true);
  });

  it.each(["", " ", "a b", "a.b", "ä", "a\n", "\na", "a=b", "a/b"])("refuses %j", (name) => {
    expect(outputVariableName.test(name)).toBe(false);
  });
});

describe("isArtifactName", () => {
  it.each(["Source", "a", "build_2-x", "x".repeat(100)])("takes %s", (name) => {
    expect(isArtifactName(name)).toBe(true);
  });

  it.each(["", ".", "..", "a/b", "a\\b", "a b", "a\n", "\0", "ä", "x".repeat(101)])("refuses %j", (name) => {
    expect(isArtifactName(name)).toBe(false);
  });
});

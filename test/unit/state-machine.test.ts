// Promise: docs/state-machine.md shows every move of the tables in src/job, in the words of their comments.
import { describe, expect, it } from "vitest";
import { commentsOf, stateMachinePage } from "../../scripts/state-machine.ts";
import { claimMoves } from "../../src/job/claim.js";
import { jobMoves } from "../../src/job/lifecycle.js";
import { reportMoves } from "../../src/job/report.js";

describe("docs/state-machine.md", () => {
  it("is what `npm run state-machine` writes", async () => {
    const { is, shouldBe } = await stateMachinePage();
    expect(is).toBe(shouldBe);
  });

  it("shows every move", async () => {
    const { shouldBe } = await stateMachinePage();
    for (const moves of [claimMoves, jobMoves, reportMoves]) {
      for (const [from, row] of Object.entries(moves)) {
        const line = shouldBe.split("\n").filter((each) => each.startsWith(`| **${from}** |`));
        for (const [event, to] of Object.entries(row)) {
          expect(line.some((each) => each.includes(`${event} → **${to}**`))).toBe(true);
        }
      }
    }
  });
});

describe("the comments of a type", () => {
  const source = (member: string) =>
    `export type Kind =\n  /** The first. */\n  | "one"\n${member};\nexport type Next = 1;\n`;

  it("are found above its members, on one line or several", () => {
    const text = source(
      '  /**\n   * The second,\n   * explained.\n   */\n  | { readonly type: "two"; readonly by: "us" }',
    );
    expect([...commentsOf(text, "Kind")]).toEqual([
      ["one", "The first."],
      ["two", "The second, explained."],
    ]);
  });

  it("must be there, each above its own member", () => {
    expect(() => commentsOf(source('  | { readonly is: "two" }'), "Kind")).toThrow("no comment says what two means");
    expect(() => commentsOf(source('  | "two"'), "Other")).toThrow("there is no type Other");
  });
});

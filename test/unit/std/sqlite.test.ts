import { describe, expect, it } from "vitest";
import { loadSqlite } from "../../../src/std/sqlite.js";

describe("loading SQLite", () => {
  it("says nothing on stderr, and keeps nobody else from it", () => {
    const { emitWarning } = process;
    const warnings: unknown[] = [];
    process.emitWarning = (warning: string | Error) => void warnings.push(warning);
    const ours = process.emitWarning;
    try {
      expect(loadSqlite().DatabaseSync).toBeTypeOf("function");
      expect(process.emitWarning).toBe(ours);
      process.emitWarning("something else");
    } finally {
      process.emitWarning = emitWarning;
    }
    expect(warnings).toEqual(["something else"]);
  });
});

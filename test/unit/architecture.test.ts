// The house rules, enforced on every file under src; architecture-rules.ts holds them, with the import table as data.
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { areaOf, circlesIn, contracts, rows, rules, type SourceFile, warningsAbout } from "./architecture-rules.js";

const root = normalize(fileURLToPath(new URL("../../", import.meta.url)));
const files: readonly SourceFile[] = globSync("src/**/*.ts", { cwd: root })
  .map((path) => path.replaceAll("\\", "/").slice("src/".length))
  .sort()
  .map((path) => ({ path, source: readFileSync(join(root, "src", path), "utf8") }));

// `.ci/run` repeats lines that begin so.
for (const line of warningsAbout(files)) console.warn(`warning: ${line}`);

describe("every source file", () => {
  it("is in no circle of imports", () => {
    expect(circlesIn(files)).toEqual([]);
  });

  it.each(rules)("%s", (_title, rule) => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.flatMap(rule)).toEqual([]);
  });
});

it("has a unit test for each file of the engine that has code", () => {
  const isCode = ({ source }: SourceFile) => /^(?:export )?(?:async )?(?:function|class|const) /m.test(source);
  const engine = files.filter(({ path }) => areaOf(path) === "engine");
  const tested = engine.filter(isCode).map(({ path }) => path.replace(/\.ts$/, ".test.ts"));
  expect(engine.length - tested.length).toBeLessThan(3);
  expect(tested.filter((path) => !existsSync(join(root, "test/unit", path)))).toEqual([]);
});

describe("the import table", () => {
  it("names only folders and files that are there", () => {
    const places = rows.flatMap((row) => [row.area, ...row.may, ...(row.types ?? [])]).map(areaOf);
    for (const place of new Set(places)) {
      const isThere = ["", ".ts"].some((end) => existsSync(join(root, "src", `${place}${end}`)));
      expect(`${place}: ${isThere}`).toBe(`${place}: true`);
    }
  });

  it("lets only embed, cli and doctor know the composition root, and nobody but main know cli", () => {
    const knowing = (place: string) => rows.filter((row) => row.may.some((each) => areaOf(each) === place));
    expect(knowing("compose").map((row) => row.area)).toEqual(["embed", "doctor", "cli"]);
    expect(knowing("cli").map((row) => row.area)).toEqual(["main"]);
    expect(knowing("emulator").map((row) => row.area)).toEqual(["testkit", "cli"]);
  });

  it("has no ring: whoever may import somebody is imported by nobody below", () => {
    const below = (area: string, seen: readonly string[]): readonly string[] => {
      expect(seen).not.toContain(area);
      const row = rows.find((each) => each.area === area);
      const next = (row?.may ?? []).filter((place) => !contracts.includes(place)).map(areaOf);
      return next.flatMap((each) => [each, ...below(each, [...seen, area])]);
    };
    for (const row of rows) below(row.area, []);
    expect(below("job", [])).toEqual([]);
  });
});

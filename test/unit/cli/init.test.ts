// `partnerd init`: what it refuses, and that it never overwrites. That what it writes works is test/e2e/init.test.ts's.
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { initCommand } from "../../../src/cli/init.js";
import { folder } from "../config/support.js";
import { cli, keepingIo } from "./io.js";

const files = ["README.md", "handler.mjs", "handler.test.mjs", "partnerd.yaml"];
const written = (directory: string) => readdirSync(directory).sort();
const js = ["init", "--handler", "module", "--language", "js"];

it("writes a configuration, a handler, its test and ten lines of README, and says what to do next", async () => {
  const directory = folder({});
  const { code, out, err } = await cli([...js, "first one"], directory);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain("next: cd 'first one' && node --test handler.test.mjs && partnerd check-config\n");
  expect(written(join(directory, "first one"))).toEqual(files);
  const readme = readFileSync(join(directory, "first one", "README.md"), "utf8");
  expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(10);
  for (const name of files) expect(readFileSync(join(directory, "first one", name), "utf8")).not.toContain("{{");
});

it.each(files)("writes nothing at all where there is a %s, whatever it is", async (name) => {
  const makers = [
    (path: string) => writeFileSync(path, "mine"),
    (path: string) => mkdirSync(path),
    (path: string) => symlinkSync("/nowhere/at/all", path),
  ];
  for (const make of makers) {
    const directory = folder({});
    make(join(directory, name));
    const { code, out, err } = await cli(js, directory);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(new RegExp(`already has ${name.replaceAll(".", "\\.")}, so nothing was written`));
    expect(written(directory)).toEqual([name]);
  }
});

it("leaves what else is in the folder, and makes only what is run executable", async () => {
  const directory = folder({ "package.json": '{"type":"commonjs"}' });
  expect((await cli(["init", "--handler", "command"], directory)).code).toBe(0);
  expect(readFileSync(join(directory, "package.json"), "utf8")).toBe('{"type":"commonjs"}');
  const isProgram = (name: string) => (statSync(join(directory, name)).mode & 0o111) !== 0;
  expect(["handler.sh", "handler.test.sh", "partnerd.yaml", "README.md"].map(isProgram)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it.each([
  ["module", "sh", "ts or js"],
  ["module", "python", "ts or js"],
  ["http", "sh", "js or ts or python"],
])("knows no %s handler in %s, and says which there are", async (kind, language, instead) => {
  const directory = folder({});
  const { code, err } = await cli(["init", "--handler", kind, "--language", language], directory);
  expect(code).toBe(64);
  expect(err).toContain(`--language ${instead}\n`);
  expect(written(directory)).toEqual([]);
});

it("refuses words that it does not know, and a place that is not a folder", async () => {
  const directory = folder({ file: "" });
  expect((await cli(["init", "--handler", "thread"], directory)).code).toBe(64);
  expect((await cli(["init", "--language", "perl"], directory)).code).toBe(64);
  const { code, err } = await cli([...js, "file"], directory);
  expect(code).toBe(1);
  expect(err).toMatch(/^cannot write to file: /);
  expect(written(directory)).toEqual(["file"]);
});

it.each(["file", "file/below", "link", "link/below"])(
  "says why it cannot write to %s, and what to do",
  async (place) => {
    const directory = folder({ file: "mine" });
    symlinkSync("/nowhere/at/all", join(directory, "link"));
    const { code, err } = await cli([...js, place], directory);
    const why = "a file, or a link to nothing, is in the place of a folder; name another folder";
    expect([code, err]).toEqual([1, `cannot write to ${place}: ${why}\n`]);
  },
);

it("writes JavaScript where Node does not run TypeScript, and says so when TypeScript is asked for", async () => {
  const directory = folder({});
  const { io, kept } = keepingIo(directory);
  expect(await initCommand({ folder: "a", handler: "module", language: "ts" }, io, false)).toBe(1);
  expect(kept.err).toMatch(/use Node 24, or --language js\n$/);
  expect(written(directory)).toEqual([]);
  expect(await initCommand({ folder: "b", handler: "module" }, io, false)).toBe(0);
  expect(await initCommand({ folder: "c", handler: "module" }, io, true)).toBe(0);
  expect([written(join(directory, "b"))[1], written(join(directory, "c"))[1]]).toEqual(["handler.mjs", "handler.mts"]);
});

// Promise: a tag that does not fit the package, its lock, the changelog, the tree or the repository is refused with what
// to do; the notes are the changelog's; the list of packages has every one that runs in production and no other.
import { execFileSync, spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const script = join(root, "scripts", "release.ts");

function release(folder: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { GITHUB_REPOSITORY: _ours, ...inherited } = process.env;
  const options = { cwd: folder, encoding: "utf8", env: { ...inherited, ...environment } } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", script, ...words], options);
  return { status, stdout, problems: stderr.trim().split("\n") };
}

const changelog = `# Changelog

## [Unreleased]

## [1.2.3] - 2026-12-01

### Added

- Something.

## [1.2.2] - 2026-11-01

- Something else.
`;

/** A project that is ready to be tagged, with `change` made to its files before they are committed. */
function project(change: { files?: object; version?: string; lockVersion?: string; changelog?: string } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-release-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const version = change.version ?? "1.2.3";
  const locked = change.lockVersion ?? version;
  const files = {
    "package.json": JSON.stringify({
      name: "partnerd",
      version,
      repository: { type: "git", url: "git+https://github.com/acme/partnerd.git" },
    }),
    "package-lock.json": JSON.stringify({ version: locked, packages: { "": { version: locked } } }),
    "CHANGELOG.md": change.changelog ?? changelog,
    ...change.files,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  git(folder, "init", "--quiet", "--initial-branch=main");
  git(folder, "add", ".");
  git(folder, "commit", "--quiet", "--message=all");
  return folder;
}

function git(folder: string, ...words: readonly string[]): string {
  const own = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"];
  return execFileSync("git", [...own, ...words], { cwd: folder, encoding: "utf8" });
}

describe("check", () => {
  it.each([[[]], [["--tag", "v1.2.3"]]])("passes what is ready, with %j", (flags) => {
    expect(release(project(), ["check", ...flags])).toMatchObject({ status: 0, stdout: "ready: 1.2.3\n" });
  });

  const without = (part: string) => changelog.replace(part, "");
  it.each<readonly [string, Parameters<typeof project>[0], RegExp]>([
    [
      "a version that is none",
      { version: "1.2", changelog: changelog.replace("1.2.3", "1.2") },
      /version 1\.2 is not MAJOR\.MINOR\.PATCH/,
    ],
    ["another version in the lock", { lockVersion: "1.2.2" }, /package-lock\.json.*npm install --package-lock-only/],
    ["a version that the changelog lacks", { version: "1.3.0" }, /newest version is ## \[1\.2\.3\].*not \[1\.3\.0\]/],
    ["a heading without a date", { changelog: without(" - 2026-12-01") }, /has no date/],
    ["a date that is none", { changelog: changelog.replace("2026-12-01", "2026-13-01") }, /has no date/],
    ["no place for what comes", { changelog: without("## [Unreleased]\n") }, /no \[Unreleased\]/],
    [
      "changes that nobody released",
      { changelog: changelog.replace("## [1.2.3]", "- New.\n\n## [1.2.3]") },
      /entries under \[Unreleased\]/,
    ],
    ["no repository", { files: { "package.json": '{"version":"1.2.3"}' } }, /no repository\.url/],
  ])("refuses %s", (_what, change, says) => {
    expect(release(project(change), ["check"])).toEqual({
      status: 1,
      stdout: "",
      problems: [expect.stringMatching(says)],
    });
  });

  it("refuses changes that are not committed, and a version that has its tag already", () => {
    const folder = project();
    writeFileSync(join(folder, "new"), "");
    git(folder, "tag", "v1.2.3");
    expect(release(folder, ["check"]).problems).toEqual([
      expect.stringContaining("the tag v1.2.3 exists"),
      expect.stringContaining("commit or stash"),
    ]);
  });

  it("refuses a tag of another version, and a commit beside main", () => {
    const folder = project();
    git(folder, "commit", "--quiet", "--allow-empty", "--message=main");
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD");
    expect(release(folder, ["check", "--tag", "v1.2.3"]).status).toBe(0);
    git(folder, "commit", "--quiet", "--allow-empty", "--message=beside");
    expect(release(folder, ["check", "--tag", "v1.2.4"]).problems).toEqual([
      expect.stringContaining("v1.2.4 is not v1.2.3"),
      expect.stringContaining("not on main"),
    ]);
  });

  it("refuses to release from a fork what npm would refuse", () => {
    const from = (name: string) => release(project(), ["check"], { GITHUB_REPOSITORY: name });
    expect(from("Acme/partnerd").status).toBe(0);
    expect(from("fork/partnerd").problems).toEqual([expect.stringContaining("built in fork/partnerd")]);
  });
});

it("prints the notes of the version alone", () => {
  expect(release(project(), ["notes"]).stdout).toBe("### Added\n\n- Something.\n");
});

it("lists every package of production and no other, without the network", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string; dev?: boolean }>;
  };
  const locked = Object.entries(packages).flatMap(([path, { version, dev }]) =>
    dev === true ? [] : [`${path === "" ? "partnerd" : path.replace(/.*node_modules\//, "")}@${version}`],
  );
  const { stdout } = release(root, ["sbom"], { npm_config_offline: "true" });
  const document = JSON.parse(stdout) as { packages: readonly { name: string; versionInfo: string }[] };
  const listed = document.packages.map(({ name, versionInfo }) => `${name}@${versionInfo}`);
  expect(listed.toSorted()).toEqual([...new Set(locked)].toSorted());
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const [name, version] of Object.entries(dependencies)) expect(listed).toContain(`${name}@${version}`);
});

it("no package of production is there twice: two copies of the SDK's core are loaded, compiled and kept both", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const twice = Object.entries(packages).flatMap(([path, { dev, devOptional }]) =>
    /node_modules\/.*node_modules\//.test(path) && !dev && !devOptional ? [path] : [],
  );
  expect(twice).toEqual([]);
});

it("the version stands in package.json alone: nothing else changes with it but the lock and the changelog", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const places = globSync(["src/**/*", "config/**/*", "scripts/**/*", ".github/**/*", ".ci/*", "Dockerfile"], {
    cwd: root,
    withFileTypes: true,
  });
  const named = places
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
    .filter((path) =>
      new RegExp(`(?<![\\d.])${version.replaceAll(".", "\\.")}(?![\\d.])`).test(readFileSync(path, "utf8")),
    );
  expect(named).toEqual([]);
});

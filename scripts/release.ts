// What a release needs besides tests: `check` says what must hold before a tag is set, `notes` prints CHANGELOG.md's
// part about this version, `sbom` the production packages as SPDX. Works in the current folder, without the network.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const usage = "usage: node scripts/release.ts check [--tag TAG] | notes | sbom";

interface Package {
  readonly version?: string;
  readonly repository?: { readonly url?: string };
  readonly devDependencies?: unknown;
  readonly peerDependencies?: unknown;
}

interface Lock {
  readonly version?: string;
  readonly packages: Readonly<Record<string, Package & { readonly dev?: boolean }>>;
}

const text = (name: string) => readFileSync(name, "utf8");
const json = <T>(name: string) => JSON.parse(text(name)) as T;
const git = (...words: readonly string[]) => execFileSync("git", words, { encoding: "utf8" }).trim();

/** One problem a line, each with what to do; none: the tag may be set, or is right. */
function problems(tag: string | undefined): readonly string[] {
  const { version = "", repository } = json<Package>("package.json");
  const lock = json<Lock>("package-lock.json");
  const found: string[] = [];
  const say = (isWrong: boolean, problem: string) => {
    if (isWrong) found.push(problem);
  };
  say(!/^\d+\.\d+\.\d+(-[\w.-]+)?$/.test(version), `package.json: version ${version} is not MAJOR.MINOR.PATCH`);
  const locked = [lock.version, lock.packages[""]?.version];
  say(
    locked.some((each) => each !== version),
    `package-lock.json: version ${locked.join(" and ")} is not ${version}: run npm install --package-lock-only`,
  );
  found.push(...changelogProblems(version));
  found.push(...tagProblems(version, tag));
  say(git("status", "--porcelain") !== "", "the working tree has changes: commit or stash them");
  found.push(...repositoryProblems(repository?.url));
  return found;
}

function changelogProblems(version: string): readonly string[] {
  const unreleased = sections().find((each) => each.startsWith("## [Unreleased]"));
  const heading = sections()
    .find((each) => each !== unreleased)
    ?.split("\n", 1)[0];
  const [, date] = /^## \[[^\]]*\] - (\d{4}-\d{2}-\d{2})$/.exec(heading ?? "") ?? [];
  const found: string[] = [];
  if (unreleased === undefined) found.push("CHANGELOG.md: no [Unreleased] for what comes next");
  else if (/^- /m.test(unreleased)) found.push(`CHANGELOG.md: entries under [Unreleased]: move them to [${version}]`);
  if (!heading?.startsWith(`## [${version}]`)) {
    found.push(`CHANGELOG.md: the newest version is ${heading ?? "none"}, not [${version}]`);
  } else if (date === undefined || Number.isNaN(Date.parse(date))) {
    found.push(`CHANGELOG.md: ${heading} has no date: write ## [${version}] - YYYY-MM-DD`);
  }
  return found;
}

function tagProblems(version: string, tag: string | undefined): readonly string[] {
  const wanted = `v${version}`;
  if (tag === undefined) {
    return git("tag", "--list", wanted) === "" ? [] : [`the tag ${wanted} exists: raise the version in package.json`];
  }
  const found = tag === wanted ? [] : [`the tag ${tag} is not ${wanted}, the version of package.json`];
  // Known where the workflow has checked out all of the history.
  const main = git("for-each-ref", "--format=%(objectname)", "refs/remotes/origin/main");
  const isOnMain = main === "" || git("merge-base", "HEAD", main) === git("rev-parse", "HEAD");
  return isOnMain ? found : [...found, "the commit is not on main: merge it first"];
}

/** npm refuses a provenance statement whose repository is another than the package's. */
function repositoryProblems(url: string | undefined): readonly string[] {
  const { GITHUB_REPOSITORY: building } = process.env;
  if (url === undefined) return ["package.json: no repository.url, which npm checks the provenance against"];
  const [, named] = /github\.com[/:]([^/]+\/[^/]+?)(?:\.git)?$/.exec(url) ?? [];
  if (building === undefined || named?.toLowerCase() === building.toLowerCase()) return [];
  return [`package.json: repository.url is ${url}, and the release is built in ${building}`];
}

/** The parts of CHANGELOG.md that begin with `## `. */
function sections(): readonly string[] {
  return text("CHANGELOG.md")
    .split(/^(?=## )/m)
    .slice(1);
}

/** What stands below the version's heading. */
function notes(): string {
  const { version } = json<Package>("package.json");
  const section = sections().find((each) => each.startsWith(`## [${version}]`));
  if (section === undefined) throw new Error(`CHANGELOG.md has no [${version}]`);
  return section.slice(section.indexOf("\n")).trim();
}

/**
 * `npm sbom --omit dev` leaves out what production and development both need, in npm 11. So it is asked about a project
 * that has no development.
 */
function sbom(): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-sbom-"));
  try {
    const production = (own: Package) => ({ ...own, devDependencies: undefined, peerDependencies: undefined });
    const lock = json<Lock>("package-lock.json");
    const packages = Object.entries(lock.packages)
      .filter(([, { dev }]) => dev !== true)
      .map(([path, each]) => [path, path === "" ? production(each) : each]);
    const write = (name: string, document: object) => writeFileSync(join(folder, name), JSON.stringify(document));
    write("package.json", production(json<Package>("package.json")));
    write("package-lock.json", { ...lock, packages: Object.fromEntries(packages) });
    const words = ["sbom", "--package-lock-only", "--sbom-format", "spdx", "--sbom-type", "application"];
    return execFileSync("npm", words, { cwd: folder, encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { positionals, values } = parseArgs({ allowPositionals: true, options: { tag: { type: "string" } } });
switch (positionals.join(" ")) {
  case "check": {
    const found = problems(values.tag);
    for (const problem of found) console.error(problem);
    if (found.length === 0) console.log(`ready: ${json<Package>("package.json").version}`);
    process.exitCode = found.length === 0 ? 0 : 1;
    break;
  }
  case "notes":
    console.log(notes());
    break;
  case "sbom":
    console.log(sbom());
    break;
  default:
    console.error(usage);
    process.exitCode = 64;
}

// `npm run mutants [-- NAME…]`: breaks the sources in one way after the other, in a copy, and runs the tests that must see
// it. First the whole list is held against the sources: a variant that does not fit, or names a test that is not there,
// ends it before any test is run, and `--check` does no more than that. Then the same tests on the sources as they are: a
// variant is only caught by tests that pass without it. Prints a line for each and, last, `N passed, N failed`; passed: caught.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mutants } from "../test/chaos/mutants/list.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const copied = ["src", "test", "config", "package.json", "tsconfig.json", "vitest.config.ts"];
/** For all tests of one variant together; one that hangs is not one that is caught. */
const limitMs = 240_000;

const checkOnly = process.argv.includes("--check");
const wanted = process.argv.slice(2).filter((argument) => argument !== "--check");
const chosen = mutants.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
// Of the whole list, also when few are tried: nobody looks at one that was not asked for.
const misfits = mutants.filter((mutant) => mistakesOf(mutant).length > 0);
const mistakes = misfits.flatMap(mistakesOf);
if (chosen.length === 0) mistakes.push(`no variant has ${wanted.join(" or ")} in its name`);
const copy = mkdtempSync(join(tmpdir(), "partnerd-mutants-"));
try {
  for (const mistake of mistakes) console.log(`MISTAKE ${mistake}`);
  if (misfits.length > 0) console.log("the list of variants does not fit the sources: bring it up to date");
  if (checkOnly || mistakes.length > 0) {
    console.log(
      `${mutants.length - misfits.length} passed, ${Math.max(misfits.length, Math.min(mistakes.length, 1))} failed`,
    );
    process.exitCode = mistakes.length === 0 ? 0 : 1;
  } else {
    for (const name of copied) cpSync(join(root, name), join(copy, name), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    process.exitCode = judge() ? 0 : 1;
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/** What is wrong with one variant before it is tried. */
function mistakesOf({ name, file, find, replace, tests }) {
  const wrong = [];
  if (mutants.filter((other) => other.name === name).length > 1) wrong.push("another variant has the same name");
  const path = join(root, file);
  if (!existsSync(path)) wrong.push(`there is no file ${file}`);
  else {
    const times = find === "" ? 0 : readFileSync(path, "utf8").split(find).length - 1;
    if (times !== 1) wrong.push(`its text stands ${times} times in ${file}, not once`);
  }
  if (find === replace) wrong.push("it changes nothing");
  if (tests.length === 0) wrong.push("it names no test");
  for (const test of tests) if (!existsSync(join(root, test))) wrong.push(`there is no test ${test}`);
  return wrong.map((what) => `${name}: ${what}`);
}

function judge() {
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  const sound = run(files);
  if (sound.failed !== 0 || sound.passed === 0) {
    console.log(sound.text);
    console.log(`the tests fail on the sources as they are: nothing can be said of variants\n0 passed, 1 failed`);
    return false;
  }
  let caught = 0;
  for (const mutant of chosen) {
    const verdict = tried(mutant);
    if (verdict === "caught") caught += 1;
    console.log(
      `${verdict === "caught" ? "caught  " : "MISSED  "}${mutant.name}${verdict === "caught" ? "" : `: ${verdict}`}`,
    );
  }
  console.log(`${caught} passed, ${chosen.length - caught} failed`);
  return caught === chosen.length;
}

/** Applies one variant, runs its tests and takes it back. */
function tried({ file, find, replace, tests }) {
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  try {
    const { failed, passed, text } = run(tests);
    if (failed > 0) return "caught";
    // It does not load, or hangs: that says nothing of the tests.
    if (passed === 0) return `no test was counted; the run said:\n${text}`;
    return `${passed} tests passed and none failed`;
  } finally {
    writeFileSync(path, source);
  }
}

/** Counts tests, not files: a variant that does not even load must not count as caught. */
function run(files) {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const counts = join(copy, "counts.json");
  rmSync(counts, { force: true });
  const options = ["--bail=1", "--testTimeout=25000", "--reporter=json", `--outputFile=${counts}`];
  const { stdout, stderr } = spawnSync(process.execPath, [vitest, "run", ...options, ...files], {
    cwd: copy,
    encoding: "utf8",
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  const text = `${stdout}\n${stderr}`.slice(-4_000);
  if (!existsSync(counts)) return { passed: 0, failed: 0, text };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(counts, "utf8"));
  const failures = testResults.flatMap(({ assertionResults }) =>
    assertionResults.flatMap((test) => test.failureMessages),
  );
  return { passed: numPassedTests, failed: numFailedTests, text: [...failures, text].join("\n").slice(0, 4_000) };
}

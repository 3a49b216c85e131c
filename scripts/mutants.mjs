// `npm run mutants [-- NAME…]`: breaks the sources in one way after the other, in a copy, and runs the tests that must see
// it. First the same tests on the sources as they are: a variant is only caught by tests that pass without it.
// Prints one line for each and, last, `N passed, N failed`; passed means caught.
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

const wanted = process.argv.slice(2);
const chosen = mutants.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const copy = mkdtempSync(join(tmpdir(), "partnerd-mutants-"));
try {
  for (const name of copied) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  process.exitCode = judge() ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
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
  return chosen.length > 0 && caught === chosen.length;
}

/** Applies one variant, runs its tests and takes it back. */
function tried({ file, find, replace, tests }) {
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  const times = source.split(find).length - 1;
  if (times !== 1) return `its text stands ${times} times in ${file}; bring the variant up to date`;
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  try {
    const { failed, passed } = run(tests);
    return failed > 0 ? "caught" : `${passed} tests passed and none failed`;
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

// Promise: every example in TypeScript on the pages about embedding and testing compiles against the package's own types.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));

it("compiles", () => {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const examples = ["docs/testkit.md", "docs/embedding.md"].flatMap((page) =>
    [...readFileSync(join(root, page), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = ""], index) => {
      const file = `${page.replaceAll(/\W/g, "-")}-${index}.mts`;
      writeFileSync(join(folder, file), text);
      return file;
    }),
  );
  expect(examples.length).toBeGreaterThan(5);
  const compilerOptions = {
    ...{ module: "nodenext", target: "es2024", lib: ["es2024"], types: ["node"], strict: true },
    ...{ noEmit: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
    paths: { partnerd: [join(root, "src/index.ts")], "partnerd/testkit": [join(root, "src/testkit/index.ts")] },
  };
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: examples }));
  const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});

// Promise: an SDK that is preloaded in the daemon traces a module's own code as well, in the thread that it runs in.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { configFor, startProgram, startTestEmulator, testFolder, thirdParty } from "../support/program.js";

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));

interface SpanLine {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
}

it("makes a module's own spans children of the handler's span", async () => {
  const emulator = await startTestEmulator();
  const folder = testFolder();
  const spansFile = join(folder, "spans");
  const handler = { kind: "module", path: fixture("handlers/thread/traces.mjs") };
  const program = startProgram(["run"], {
    folder,
    files: { "partnerd.yaml": configFor(emulator, handler) },
    environment: { NODE_OPTIONS: `--import ${pathToFileURL(fixture("tracing.mjs"))}`, TEST_SPANS_FILE: spansFile },
  });
  const id = emulator.addJob({ actionType: thirdParty });
  expect((await emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  program.child.kill("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 0, err: "" });
  const spans = readFileSync(spansFile, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as SpanLine);
  const handlerSpan = spans.find(({ name }) => name === "handler");
  const inner = spans.find(({ name }) => name === "inner");
  expect(inner).toMatchObject({ traceId: handlerSpan?.traceId, parent: handlerSpan?.spanId });
});

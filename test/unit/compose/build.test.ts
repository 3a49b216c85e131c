// The parts of a daemon, opened at the same time: which fault is told, and that nothing stays open after one.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type BuiltParts, buildParts, closeQuietly } from "../../../src/compose/build.js";
import { loadConfig } from "../../../src/config/load.js";
import { HandlersError } from "../../../src/handlers/unbuildable.js";
import { LedgerError } from "../../../src/ledger/ledger.js";
import { systemClock } from "../../../src/std/clock.js";
import { createLog } from "../../../src/std/log.js";
import { Masker } from "../../../src/std/masking.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-build-"));
  writeFileSync(join(folder, "good.mjs"), "export const handler = () => {};\n");
  writeFileSync(join(folder, "broken.mjs"), "throw new Error('no such thing');\n");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function built(handler: string): Promise<BuiltParts> {
  const object = {
    regions: ["us-east-1"],
    actionTypes: [{ category: "Test", owner: "Custom", provider: "Acme", version: "1", handler: "own" }],
    handlers: { own: { kind: "module", path: `./${handler}` } },
    ledger: { store: "sqlite", path: "./ledger.db" },
    artifacts: { workDir: "./work" },
    admin: { port: 0 },
  };
  const { config } = await loadConfig({ files: [], object, environment: {}, directory: folder, overrides: [] });
  const masker = new Masker();
  const log = createLog({ ...config.log, masker, destination: { write: () => {} } });
  return buildParts({ config, log, masker, clock: systemClock, environment: {} }, () => {});
}

async function closed({ closing }: BuiltParts): Promise<void> {
  const log = createLog({ level: "error", format: "json", masker: new Masker(), destination: { write: () => {} } });
  for (const part of closing.toReversed()) await closeQuietly(part, log);
}

it("leaves nothing open when a handler cannot be loaded: the ledger is free for the next", async () => {
  await expect(built("broken.mjs")).rejects.toThrow(HandlersError);
  await closed(await built("good.mjs"));
});

it("tells a fault of the ledger before one of a handler", async () => {
  const first = await built("good.mjs");
  await expect(built("broken.mjs")).rejects.toThrow(LedgerError);
  await closed(first);
});

it("closes in the reverse order of its parts, handlers before the ledger that they are recorded in", async () => {
  const parts = await built("good.mjs");
  expect(parts.closing.map(({ name }) => name)).toEqual([
    ...["admin token", "client tokens", "ledger", "artifact store", "handlers", "clients"],
  ]);
  await closed(parts);
});

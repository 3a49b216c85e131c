// A configuration as it is read in its container, with secrets where it looks for them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { loadConfig } from "../../src/config/load.js";

/** Loads it, with /run/secrets in a folder of this test. */
export function loadedInContainer(configuration: string, environment: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-examples-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "webhook-secret"), `whsec_${Buffer.alloc(32, 7).toString("base64")}\n`);
  writeFileSync(join(folder, "admin-token"), `${"a".repeat(32)}\n`);
  writeFileSync(join(folder, "client-tokens.yaml"), "{one: a-token-of-a-customer}");
  writeFileSync(join(folder, "partnerd.yaml"), configuration.replaceAll("/run/secrets", folder));
  return loadConfig({ files: [join(folder, "partnerd.yaml")], environment, directory: folder, overrides: [] });
}

// Configurations in a folder of their own, read as the daemon reads them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { Override } from "../../../src/config/environment.js";
import type { Loaded, LoadOptions } from "../../../src/config/load.js";
import { loadConfig } from "../../../src/config/load.js";
import { ConfigError, describeMistake } from "../../../src/config/mistakes.js";

/** The least that a configuration must have. */
export const least = `regions: [us-east-1]
actionTypes: [{ provider: Acme, category: Test, owner: Custom, version: "1", handler: h }]
handlers: { h: { kind: module, path: ./h.js } }
`;

export const webhookSecret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** A new folder, removed when the test ends. */
export function folder(files: Readonly<Record<string, string | Buffer>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), "partnerd-config-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

export interface Circumstances {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly overrides?: readonly Override[];
  /** Besides the configuration itself. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

/** Options that read `partnerd.yaml` with this text. */
export function optionsFor(text: string, circumstances: Circumstances = {}): LoadOptions {
  const directory = folder({ "partnerd.yaml": text, ...circumstances.files });
  return {
    files: ["partnerd.yaml"],
    environment: circumstances.environment ?? {},
    directory,
    overrides: circumstances.overrides ?? [],
  };
}

/** Reads a configuration that must be right. */
export function load(text: string, circumstances: Circumstances = {}): Promise<Loaded> {
  return loadConfig(optionsFor(text, circumstances));
}

/** The mistakes of a configuration as the lines that a user sees; none when it is right. */
export async function mistakesOf(options: LoadOptions): Promise<readonly string[]> {
  try {
    await loadConfig(options);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes.map(describeMistake);
    throw error;
  }
}

/** The text has exactly these mistakes; one that ends in … goes on. */
export async function check(text: string, mistakes: readonly string[], circumstances?: Circumstances): Promise<void> {
  const lines = await mistakesOf(optionsFor(text, circumstances));
  const shortened = lines.map((line, index) => {
    const start = mistakes[index]?.endsWith("…") ? `partnerd.yaml:${mistakes[index].slice(0, -1)}` : undefined;
    return start !== undefined && line.startsWith(start) ? `${start}…` : line;
  });
  expect(shortened).toEqual(mistakes.map((line) => `partnerd.yaml:${line}`));
}

/** These lines, before the least configuration, have exactly these mistakes. */
export function checkTop(lines: string, mistakes: readonly string[], circumstances?: Circumstances): Promise<void> {
  return check(`${lines}\n${least}`, mistakes, circumstances);
}

/** The warnings of a right configuration, as lines. */
export async function warningsOf(text: string, circumstances?: Circumstances): Promise<readonly string[]> {
  return (await load(text, circumstances)).warnings.map(describeMistake);
}

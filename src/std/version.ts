// The version of this program, read from the package it is part of: src/ and dist/ lie equally deep in it.
import { readFileSync } from "node:fs";

/** Such as `1.2.3`. */
export function ownVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version?: unknown };
  return typeof version === "string" ? version : "unknown";
}

// The AWS SDK's own variables, as far as they are wrong at a glance: what a copied line, a Windows file or `--env-file`
// adds to a value. The SDK would take it as it is, and the calls would fail far away from here. Never shows a value.
import type { Environment } from "./environment.js";
import type { Findings } from "./mistakes.js";

/** They stand in a header of each request. */
const inHeaders = new Set(["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"]);

/** Adds a mistake for each variable `AWS_…` that cannot be right. */
export function checkAwsVariables(environment: Environment, findings: Findings): void {
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith("AWS_") || !value) continue;
    const what = troubleWith(name, value);
    if (what) findings.mistake({ kind: "environment", name, directory: "" }, what, "correct it, or unset it");
  }
}

function troubleWith(name: string, value: string): string | undefined {
  if (/^\s|\s$/.test(value)) return /[\r\n]$/.test(value) ? "ends in a line break" : "starts or ends with white space";
  if (/\p{Cc}/u.test(value)) return "holds a control character";
  if (/^(["']).*\1$/.test(value)) return "has quotes that are part of its value";
  return inHeaders.has(name) && !/^[!-~]+$/.test(value)
    ? "holds a character that HTTP headers cannot carry"
    : undefined;
}

// The AWS SDK's own variables, as far as they are wrong at a glance: what a copied line, a Windows file or `--env-file`
// adds to a value. The SDK would take it as it is, and the calls would fail far away from here. Never shows a value.
import type { Environment } from "./environment.js";

/** They stand in a header of each request. */
const inHeaders = new Set(["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"]);

/** What is wrong with the variables `AWS_…`, each with its name. */
export function mistakesOfAwsVariables(environment: Environment) {
  return Object.entries(environment).flatMap(([variable, value]) => {
    const what = variable.startsWith("AWS_") && value ? troubleWith(variable, value) : undefined;
    return what ? [{ variable, what, remedy: "correct it, or unset it" }] : [];
  });
}

function troubleWith(name: string, value: string): string | undefined {
  if (/^\s|\s$/.test(value)) return /[\r\n]$/.test(value) ? "ends in a line break" : "starts or ends with white space";
  if (/\p{Cc}/u.test(value)) return "holds a control character";
  if (/^(["']).*\1$/.test(value)) return "has quotes that are part of its value";
  if (inHeaders.has(name) && !/^[!-~]+$/.test(value)) return "holds a character that HTTP headers cannot carry";
  const isUrl = URL.canParse(value) && /^https?:\/\//i.test(value);
  return /^AWS_ENDPOINT_URL(_|$)/.test(name) && !isUrl ? "is not an http or https URL" : undefined;
}

// The values that only this configuration has: Regions, the outer shape of actionTypes and handlers, a command line,
// names of environment variables, client ids, accounts of the machine, a webhook secret.
import { isIP } from "node:net";
import { resolve } from "node:path";
import type { ClientId, Region } from "../job/job.js";
import { likelyHost } from "../std/likely.js";
import { quote } from "../std/quote.js";
import { regionPattern } from "../std/regions.js";
import type { Format, Problem } from "./formats.js";
import { httpUrl, list, meaningOf, notA, secret, single, text, textMap } from "./formats.js";

/** Each action type is polled in each of its Regions by a loop of its own: more would be another kind of worker. */
const actionTypesMax = 200;
const handlersMax = 200;
/** Each has clients and pollers of its own. */
const accountsMax = 200;
/** Each value has a poller of its own. */
const queriesMax = 200;
/** What useradd takes, and names of directories; or a number in quotes. */
const accountPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?$/;
/** The last one means "nobody in particular" to the system. */
const accountMax = 4_294_967_294;

/** A Region of DynamoDB or Secrets Manager: any name of that form, since newer ones are not known here. */
export const regionFormat = text({ max: 64, form: /^[a-z0-9-]+$/, says: "a Region such as us-east-1" });

/** The name of a DynamoDB table. */
export const tableFormat = text({
  max: 255,
  form: /^[A-Za-z0-9_.-]{3,255}$/,
  says: "3 or more letters, digits and - _ .",
});

/** A list of Regions; whether they exist is looked at later, with the endpoint in view. */
export const regionListFormat = list(
  text<Region>({ max: 40, form: regionPattern, says: `a Region such as "us-east-1"` }),
  { name: "list of Regions", max: 60 },
);

/** CodePipeline's id of a customer. */
export const clientIdFormat = text<ClientId>({
  max: 36,
  form: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  says: "a client id: a UUID in lower case",
});

/** `actionTypes`: a list with at least one entry. */
export const actionTypesFormat: Format<unknown, ""> = single(
  "list",
  (value) => {
    if (!Array.isArray(value)) return { what: "is not a list", remedy: "start each action type with a dash" };
    if (value.length === 0) return { what: "is empty", remedy: "name at least one action type" };
    return tooMany(value.length, actionTypesMax);
  },
  { type: "array", minItems: 1, maxItems: actionTypesMax },
);

/** A name of a handler or an account: what is safe in logs, metrics and file names. */
export const entryName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** `handlers`: a map. */
export const handlersFormat: Format<unknown, ""> = single(
  "map",
  (value) =>
    value instanceof Map
      ? tooMany(value.size, handlersMax)
      : { what: "is not a map", remedy: "write `NAME: {kind: …}`" },
  { type: "object", maxProperties: handlersMax, propertyNames: { pattern: entryName.source } },
);

/** `accounts`: a map. */
export const accountsFormat: Format<unknown, ""> = single(
  "map",
  (value) => {
    const remedy = "write `NAME: { roleArn: … }`";
    if (!(value instanceof Map)) return { what: "is not a map", remedy };
    if (value.size === 0) return { what: "names no account", remedy: `${remedy}, or remove the key` };
    return tooMany(value.size, accountsMax);
  },
  { type: "object", minProperties: 1, maxProperties: accountsMax, propertyNames: { pattern: entryName.source } },
);

/** Names of accounts; whether they exist is looked at later. */
export const accountListFormat = list(text({ max: 64, form: entryName, says: "a name in accounts" }), {
  name: "list of accounts",
  max: accountsMax,
});

function tooMany(entries: number, max: number): Problem | undefined {
  return entries > max ? { what: `has ${entries} entries`, remedy: `the maximum is ${max}` } : undefined;
}

/** A program and its arguments, as a list: no shell ever reads it. */
export const commandFormat: Format<readonly [string, ...string[]], ""> = {
  name: "list of strings",
  json: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 1_000 },
  problems(value) {
    const remedy = "write [program, argument, …]";
    if (typeof value === "string") return [{ what: "is a string, not a list", remedy: `${remedy}: no shell is used` }];
    if (!Array.isArray(value)) return [{ what: "is not a list", remedy }];
    if (value.length === 0) return [{ what: "is empty", remedy }];
    if (value.length > 1_000) return [{ what: `has ${value.length} items`, remedy: "the maximum is 1000" }];
    return value.flatMap((part: unknown, index): Problem[] => {
      if (typeof part !== "string") return [{ at: index, what: "is not a string", remedy: "quote it" }];
      if (part.includes("\0")) return [{ at: index, what: "contains a NUL character", remedy: "remove it" }];
      return index === 0 && part.trim() === "" ? [{ at: 0, what: "is empty", remedy: "name a program" }] : [];
    });
  },
  /** A program with a slash is where the file says; any other is looked for in PATH. */
  located(value, directory) {
    const [program = "", ...parameters] = value as readonly string[];
    return [/^\.|\//.test(program) ? resolve(directory, program) : program, ...parameters];
  },
};

/** The same, of a program that is nobody's handler; the environment gives it with commas. */
export const tokenCommandFormat: typeof commandFormat = {
  ...commandFormat,
  written: "list",
  problems(value) {
    const problems = commandFormat.problems(value);
    if (problems.length > 0 || !Array.isArray(value)) return problems;
    // It runs in / wherever the daemon was started.
    return value.flatMap((part: unknown, at): Problem[] =>
      at > 0 && typeof part === "string" && /^\.\.?\//.test(part)
        ? [{ at, what: "is a relative path, and the program runs in /", remedy: "write an absolute path" }]
        : [],
    );
  },
};

/** A URL with `{clientId}` in its path or its query: the host is the configured one, whoever the client is. */
export const clientUrlFormat: Format<string, ""> = {
  ...httpUrl(),
  json: { type: "string", pattern: "^[hH][tT][tT][pP][sS]?://[^/?#{}]+[/?][^#]*\\{clientId\\}", maxLength: 2_048 },
  problems(value) {
    const problems = httpUrl().problems(value);
    if (problems.length > 0) return problems;
    if (/^[A-Za-z]+:\/\/[^/?#{}]+[/?].*\{clientId\}/s.test(value as string)) return [];
    return [{ what: "has no {clientId} after its host", remedy: `write "http://127.0.0.1:9000/tokens/{clientId}"` }];
  },
};

/** A variable's name that a handler may be given. */
export const envNameFormat: Format<string, ""> = single(
  "name",
  (value) => {
    const what = "is not a name for a variable";
    if (typeof value !== "string" || !/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(value) || value === "__proto__") {
      return { what, remedy: "write letters, digits and _ only" };
    }
    if (!value.startsWith("PARTNERD_")) return undefined;
    return { what, remedy: "choose another name: partnerd sets the variables PARTNERD_… itself" };
  },
  { type: "string", pattern: "^(?!PARTNERD_)[A-Za-z_][A-Za-z0-9_]{0,255}$" },
);

/** An address to listen on: an IP address or `localhost`. */
export const listenHostFormat: Format<string, ""> = single(
  "IP address",
  (value) => {
    if (typeof value === "string" && (isIP(value) !== 0 || value === "localhost")) return undefined;
    const likely = typeof value === "string" ? likelyHost(value) : undefined;
    const remedy = `write ${likely ? quote(likely) : `"127.0.0.1", "::1" or "0.0.0.0"`}`;
    return { what: notA(value, "an address to listen on"), remedy };
  },
  { type: "string", examples: ["127.0.0.1", "::1", "0.0.0.0"] },
);

/** An address, or a network such as `10.0.0.0/8`. */
const networkFormat: Format<string, ""> = single(
  "address or network",
  (value) => {
    if (typeof value === "string" && isNetwork(value)) return undefined;
    return { what: notA(value, "an address or a network"), remedy: `write "10.0.0.7", "10.0.0.0/8" or "fd00::/8"` };
  },
  { type: "string", examples: ["10.0.0.7", "10.0.0.0/8", "fd00::/8"] },
);

/** Some of them. */
export const networkListFormat = list(networkFormat, { name: "list of addresses and networks", max: 50 });

function isNetwork(text: string): boolean {
  const [address = "", bits = "0", ...more] = text.split("/");
  const family = isIP(address);
  return family !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

/** A queryable property with the value that is asked for: PollForJobs takes one. */
export const queryParamFormat = textMap({
  key: text({ max: 50 }),
  value: text({ max: 50, form: /^[a-zA-Z0-9_-]+$/, says: "letters, digits, - and _ only" }),
  max: 1,
});

/** Several of them. */
export const queryParamsFormat: Format<readonly Readonly<Record<string, string>>[], ""> = {
  name: "list of maps",
  json: { type: "array", items: { ...queryParamFormat.json, minProperties: 1 }, minItems: 1, maxItems: queriesMax },
  problems(value) {
    const remedy = "write [{ Project: shop }, { Project: blog }]";
    if (!Array.isArray(value))
      return [{ what: value instanceof Map ? "is a map, not a list" : "is not a list", remedy }];
    if (value.length === 0) return [{ what: "is empty", remedy }];
    if (value.length > queriesMax)
      return [{ what: `has ${value.length} items`, remedy: `the maximum is ${queriesMax}` }];
    return value.flatMap((each: unknown, index): Problem[] => {
      if (each instanceof Map && each.size === 0) return [{ at: index, what: "names no property", remedy }];
      return queryParamFormat.problems(each).map((problem) => ({
        at: index,
        what: problem.at === undefined ? problem.what : `has ${quote(problem.at)}, which ${problem.what}`,
        remedy: problem.remedy,
      }));
    });
  },
  meaning: (value) => (value as unknown[]).map((each) => meaningOf(queryParamFormat, each)),
};

/** A user or group of this machine: its name, or its number. */
export const accountFormat: Format<string, ""> = {
  ...single(
    "name or number",
    (value) => {
      const isNumber = Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= accountMax;
      if (isNumber || (typeof value === "string" && accountPattern.test(value))) return undefined;
      const what = `is ${quote(value)}, not the name or number of an account`;
      return { what, remedy: "write a name such as builder, or 1001" };
    },
    {
      anyOf: [
        { type: "string", pattern: accountPattern.source },
        { type: "integer", minimum: 0, maximum: accountMax },
      ],
    },
  ),
  meaning: String,
};

/** `whsec_` and 24 to 64 bytes in base64, as the Standard Webhooks specification asks. */
export const webhookSecret = secret(
  single<string>(
    "text",
    (value) => {
      const remedy = "make one: echo whsec_$(openssl rand -base64 32)";
      if (typeof value !== "string") return { what: value === null ? "is empty" : "is not a string", remedy };
      const encoded = /^whsec_([A-Za-z0-9+/]{1,200}={0,2})$/.exec(value)?.[1];
      if (encoded === undefined || encoded.length % 4 !== 0) return { what: "is not `whsec_` and base64", remedy };
      const bytes = Buffer.from(encoded, "base64").length;
      return bytes >= 24 && bytes <= 64 ? undefined : { what: `holds ${bytes} bytes instead of 24 to 64`, remedy };
    },
    { type: "string", pattern: "^whsec_[A-Za-z0-9+/]{32,88}={0,2}$" },
  ),
);

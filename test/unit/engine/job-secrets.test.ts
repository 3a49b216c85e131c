import { expect, it } from "vitest";
import { maskSecretsOf, shownDetails } from "../../../src/engine/job-secrets.js";
import type { JobKey } from "../../../src/job/job.js";
import { Secret } from "../../../src/job/secret.js";
import { flightOver, offer } from "../../support/flight.js";

/** What is kept secret of a job with these properties. */
async function kept(
  configuration: Readonly<Record<string, string>>,
  lists: { readonly secretProperties?: readonly string[]; readonly notSecretProperties?: readonly string[] } = {},
  marked: readonly string[] = [],
) {
  const { context, config } = await flightOver({});
  const values = new Set<string>();
  const deps = {
    ...context.deps,
    keepSecrets: (secrets: readonly string[]) => {
      for (const secret of secrets) values.add(secret);
      return () => values.clear();
    },
    isMarkedSecret: (key: JobKey, property: string) => key === offer.key && marked.includes(property),
  };
  const access = {
    credentials: {
      accessKeyId: new Secret("id"),
      secretAccessKey: new Secret("key"),
      sessionToken: new Secret("session"),
    },
  };
  const end = maskSecretsOf({ ...context, deps }, { ...config, ...lists }, { ...offer, configuration, access });
  return { values, end };
}

it("masks the job's credentials and its secret properties, and nothing else, until it is told to end", async () => {
  const { values, end } = await kept(
    { Pin: "pass", Empty: "", Url: "https://example.com" },
    { secretProperties: ["Pin", "Empty", "Absent"] },
  );
  expect([...values].sort()).toEqual(["id", "key", "pass", "session"]);
  end();
  expect(values.size).toBe(0);
});

it.each([
  ["named in secretProperties", "Pin", "1234", { secretProperties: ["Pin"] }, [], true],
  ["named there whatever its value is", "Pin", "true", { secretProperties: ["Pin"] }, [], true],
  ["of a name that looks secret", "db_PASSWORD", "hunter2", {}, [], true],
  ["of such a name, but a switch by its value", "PrivateRepository", "True", {}, [], false],
  [
    "of such a name that notSecretProperties takes out",
    "TokenUrl",
    "https://h",
    { notSecretProperties: ["TokenUrl"] },
    [],
    false,
  ],
  ["marked by the action type", "Licence", "abc-def", {}, ["Licence"], true],
  ["marked, whatever its value is", "Licence", "none", {}, ["Licence"], true],
  ["marked, and taken out", "Licence", "abc-def", { notSecretProperties: ["Licence"] }, ["Licence"], false],
  ["of no mark and no such name", "Target", "production", {}, ["Licence"], false],
] as const)("a property %s", async (_, name, value, lists, marked, isSecret) => {
  const { values } = await kept({ [name]: value }, lists, marked);
  expect(values.has(value)).toBe(isSecret);
});

it("shows a job's details without any secret: not in its own property, nor within another, and never without an end", async () => {
  const { context, config } = await flightOver({});
  const mask = (text: string) => text.replaceAll("hunter2", "[secret]");
  const deps = { ...context.deps, mask, isMarkedSecret: (_: JobKey, name: string) => name === "Licence" };
  const configuration = {
    ApiKey: "pw",
    Licence: "abc-def",
    Named: "anything",
    Url: "https://u:hunter2@host/",
    Empty: "",
    Long: "x".repeat(5_000),
  };
  const job = { ...offer, configuration, inputs: [{ name: "Source" }], outputs: [{ name: "Report" }] };
  const shown = shownDetails({ ...context, deps }, { ...config, secretProperties: ["Named"] }, job);
  expect(shown).toEqual({
    configuration: [
      { name: "ApiKey", value: "[secret]" },
      { name: "Licence", value: "[secret]" },
      { name: "Named", value: "[secret]" },
      { name: "Url", value: "https://u:[secret]@host/" },
      { name: "Empty", value: "" },
      { name: "Long", value: `${"x".repeat(299)}…` },
    ],
    inputs: ["Source"],
    outputs: ["Report"],
  });
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`P${at}`, "v"]));
  expect(shownDetails(context, config, { ...offer, configuration: many }).configuration).toHaveLength(50);
});

// The schema that editors use: it is a schema, it knows every key, and it accepts what partnerd accepts.
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { actionTypeSchema, handlerSchemas } from "../../../src/config/entry-schema.js";
import { configurationSchema } from "../../../src/config/json-schema.js";
import { schema } from "../../../src/config/schema.js";
import { settingsOf } from "../../../src/config/setting.js";

const validate = new Ajv2020({ strict: true, allErrors: true }).compile(configurationSchema());
const action = { provider: "Acme", category: "Test", owner: "ThirdParty", version: "1", handler: "scan" };
const good = { actionTypes: [action], handlers: { scan: { kind: "module", path: "./scan.js" } } };

it.each(["example.yaml", "container.yaml", "demo/partnerd.yaml"])("accepts config/%s", (name) => {
  const text = readFileSync(new URL(`../../../config/${name}`, import.meta.url), "utf8");
  expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
});

it("has a place for every key of the configuration, with its sentence", () => {
  const at = (path: readonly string[]) => path.reduce<unknown>((node, key) => Reflect.get(Object(node), key), root);
  const root = configurationSchema();
  for (const [path, { doc }] of settingsOf(schema)) {
    const place = path.split(".").flatMap((key) => ["properties", key]);
    expect(at(place), path).toMatchObject({ description: doc });
  }
  for (const [path, { doc }] of settingsOf(actionTypeSchema)) {
    expect(at(["properties", "actionTypes", "items", "properties", path])).toMatchObject({ description: doc });
  }
});

/** Values of every sort, good and bad. */
const samples: readonly unknown[] = [
  "10s",
  "0s",
  "500ms",
  "24h",
  "none",
  "10",
  10,
  0,
  1,
  65_535,
  -1,
  1.5,
  true,
  false,
  null,
  "",
  "x",
  "sqlite",
  "static",
  "1MiB",
  "2GiB",
  "10MB",
  "http://127.0.0.1:1/x",
  "HTTPS://host",
  "ftp://x",
  "127.0.0.1",
  "localhost",
  "::1",
  ["us-east-1"],
  ["us-east-1", "us-east-1"],
  [],
  ["a"],
  {},
  "./file",
  "~/file",
  `whsec_${"A".repeat(32)}`,
  "info",
  "json",
  "us-east-1",
  "partnerd-ledger",
  "a".repeat(600),
  "0123456789abcdef",
  "fail",
  "Custom",
  "1.10",
];

describe("each key", () => {
  const all = [
    ...settingsOf(schema),
    ...settingsOf(actionTypeSchema),
    ...Object.values(handlerSchemas).flatMap((section) => [...settingsOf(section)]),
  ];
  it.each(all.map(([path, setting]) => [path, setting] as const))("%s accepts what partnerd does", (_, setting) => {
    const accepts = new Ajv2020({ strict: true }).compile(setting.kind.json);
    for (const value of samples) {
      // partnerd sees maps where JSON has objects.
      const read =
        value !== null && typeof value === "object" && !Array.isArray(value) ? new Map(Object.entries(value)) : value;
      if (setting.kind.problems(read).length === 0) expect(accepts(value), JSON.stringify(value)).toBe(true);
    }
    if (setting.default !== null && !(setting.default instanceof Map)) expect(accepts(setting.default)).toBe(true);
  });
});

describe("mistakes that an editor should show", () => {
  it.each<readonly [string, object]>([
    ["an unknown key", { ...good, colour: "red" }],
    ["an unknown key within", { ...good, polling: { interval: "1s" } }],
    ["a bare number for a duration", { ...good, polling: { minInterval: 10 } }],
    ["an unknown word", { ...good, log: { level: "loud" } }],
    ["a handler of no kind", { ...good, handlers: { scan: { path: "./x" } } }],
    ["a key of another kind of handler", { ...good, handlers: { scan: { kind: "http", path: "./x" } } }],
    ["an action type without a version", { ...good, actionTypes: [{ ...action, version: undefined }] }],
    ["a version that is a number", { ...good, actionTypes: [{ ...action, version: 1 }] }],
    ["no action type at all", { ...good, actionTypes: [] }],
  ])("%s", (_, document) => {
    expect(validate(good)).toBe(true);
    expect(validate(JSON.parse(JSON.stringify(document)))).toBe(false);
  });
});

// What the schema gives: the type of each key, its name with the unit, and a value of that type.
import { describe, expect, expectTypeOf, it } from "vitest";
import type { ActionTypeConfig, Config, HandlerConfig, LedgerConfig } from "../../../src/config/config.js";
import {
  boolean,
  duration,
  hiddenText,
  integer,
  list,
  oneOf,
  secret,
  size,
  text,
  textMap,
} from "../../../src/config/formats.js";
import { setting, withVariables } from "../../../src/config/setting.js";
import { Settings } from "../../../src/config/settings.js";
import { type Values, valuesOf } from "../../../src/config/values.js";
import type { ClientId, ClientToken, Region } from "../../../src/job/job.js";
import { Secret } from "../../../src/job/secret.js";

const schema = withVariables({
  wait: setting("A wait.", duration("0s", "1h"), { default: "2s" }),
  maxBytes: setting("A size.", size("0B", "1GiB"), { required: true }),
  buffer: setting("A size.", size("0B", "1GiB")),
  isOn: setting("A switch.", boolean(), { derived: "worked out" }),
  token: setting("A secret.", secret(hiddenText({ max: 9 }))),
  names: setting("Names.", list(text({ max: 9 }), { name: "list of names", max: 9 }), { default: [] }),
  more: setting("Files of names.", list(text({ max: 9 }), { name: "list of names", max: 9 }), { filesOf: "names" }),
  labels: setting("Labels.", textMap({ key: text({ max: 9 }), value: text({ max: 9 }), max: 9 })),
  store: {
    kind: setting("Which.", oneOf(["here", "there"]), { default: "here", decides: "strictly" }),
    path: setting("Where.", text({ max: 9 }), { required: true, only: "here" }),
    port: setting("Where.", integer(1, 9), { only: "there" }),
  },
});

interface Expected {
  readonly waitMs: number;
  readonly maxBytes: number;
  readonly bufferBytes?: number;
  readonly isOn: boolean;
  readonly token?: Secret<string>;
  readonly names: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly store: { readonly kind: "here"; readonly path: string } | { readonly kind: "there"; readonly port?: number };
}

/** The values of these settings, each at its key. */
function valuesWith(given: Readonly<Record<string, unknown>>): Values<typeof schema> {
  const settings = new Settings();
  const unset = { wait: "2s", maxBytes: "1KiB", buffer: null, isOn: true, token: null, names: [], more: null };
  const store = { "store.kind": "here", "store.path": "x", "store.port": null };
  for (const [path, value] of Object.entries({ ...unset, labels: null, ...store, ...given })) {
    settings.set(path, { value, place: { kind: "default" } });
  }
  return valuesOf(schema, "", settings);
}

describe("a section", () => {
  it("has the type that its formats say", () => {
    expectTypeOf<Values<typeof schema>>().toEqualTypeOf<Expected>();
  });

  it("becomes numbers with their units, wrapped secrets, and nothing where nothing is set", () => {
    expect(valuesWith({})).toEqual({
      waitMs: 2_000,
      maxBytes: 1_024,
      isOn: true,
      names: [],
      store: { kind: "here", path: "x" },
    });
    const { token, bufferBytes, names, labels } = valuesWith({
      token: "hunter2",
      buffer: "2KiB",
      names: ["a"],
      more: ["b"],
      labels: new Map([["constructor", "c"]]),
    });
    expect([token, bufferBytes, names]).toEqual([new Secret("hunter2"), 2_048, ["a", "b"]]);
    expect(labels).toEqual({ constructor: "c" });
    expect(labels?.["toString"]).toBeUndefined();
  });

  it("has of a choice only the keys of its word", () => {
    expect(valuesWith({ "store.kind": "there", "store.port": 3 }).store).toEqual({ kind: "there", port: 3 });
  });

  it("names each variable after the path, and none for what no text stands for", () => {
    expect([schema.wait.env, schema.store.port.env, schema.labels.env]).toEqual([
      "PARTNERD_WAIT",
      "PARTNERD_STORE_PORT",
      undefined,
    ]);
  });
});

it("makes the configuration that the rest of partnerd is written for", () => {
  expectTypeOf<Config["polling"]>().toEqualTypeOf<{ readonly minIntervalMs: number; readonly maxIntervalMs: number }>();
  expectTypeOf<LedgerConfig["store"]>().toEqualTypeOf<"memory" | "sqlite" | "dynamodb">();
  expectTypeOf<Extract<LedgerConfig, { store: "sqlite" }>["path"]>().toEqualTypeOf<string>();
  expectTypeOf<Extract<Config["clientTokens"], { source: "static" }>["tokens"]>().toEqualTypeOf<
    Readonly<Record<ClientId, Secret<ClientToken>>>
  >();
  expectTypeOf<ActionTypeConfig["regions"]>().toEqualTypeOf<readonly Region[]>();
  expectTypeOf<ActionTypeConfig["owner"]>().toEqualTypeOf<"ThirdParty" | "Custom">();
  expectTypeOf<Extract<HandlerConfig, { kind: "command" }>["command"]>().toEqualTypeOf<
    readonly [string, ...string[]]
  >();
  expectTypeOf<Config["admin"]["token"]>().toEqualTypeOf<Secret<string> | undefined>();
});

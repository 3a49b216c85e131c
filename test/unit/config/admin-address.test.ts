import { describe, expect, it } from "vitest";
import { loadAdminAddress } from "../../../src/config/admin-address.js";
import type { Override } from "../../../src/config/environment.js";
import { loadConfig } from "../../../src/config/load.js";
import { ConfigError } from "../../../src/config/mistakes.js";
import { folder, least, optionsFor } from "./support.js";

describe("the admin port's address", () => {
  it("is known while everything else is wrong", async () => {
    const options = optionsFor("admin: { port: 8000 }\ncolour: red\nactionTypes: 5\n");
    expect(await loadAdminAddress(options)).toEqual({ host: "127.0.0.1", port: 8_000 });
  });

  it("is the default's, or the environment's, without any file", async () => {
    const options = { files: [], directory: folder(), overrides: [] };
    expect(await loadAdminAddress({ ...options, environment: {} })).toEqual({ host: "127.0.0.1", port: 9_464 });
    expect(await loadAdminAddress({ ...options, environment: { PARTNERD_ADMIN_PORT: "81" } })).toMatchObject({
      port: 81,
    });
  });

  it.each(["admin: { port: high }", "admin: {", ""])("is not guessed when %j is all there is", async (text) => {
    await expect(loadAdminAddress(optionsFor(text))).rejects.toThrow(/partnerd\.yaml:1/);
  });

  const files = {
    "one.yaml": `${least}admin: { port: 8001, host: "::1" }\n`,
    "two.yaml": "admin: { port: 8002 }\n",
    "three.json": '{"admin":{"publicUrl":"https://example.com"},"log":{"level":"debug"}}',
    "empty.yaml": "admin:\n",
    "token.yaml": "admin: { tokenFile: ./token }\n",
    token: "0123456789abcdefghij",
  };

  it.each([
    [["one.yaml"], {}, []],
    [["one.yaml", "two.yaml"], {}, []],
    [["two.yaml", "one.yaml", "three.json"], {}, []],
    [["one.yaml", "empty.yaml", "token.yaml"], {}, []],
    [["one.yaml"], { PARTNERD_ADMIN_PORT: "8003", PARTNERD_LOG_LEVEL: "debug", PARTNERD_COLOUR: "red" }, []],
    [["one.yaml"], { PARTNERD_ADMIN_PORT: "tcp://10.0.0.7:9464" }, []],
    [["one.yaml"], { PARTNERD_ADMIN_PORT: "8003" }, [set("admin.port", "8004")]],
    [["one.yaml"], { PARTNERD_ADMIN_HOST: "127.0.0.2" }, [set("log.level", "debug"), set("admin.port", "0")]],
    [[], { PARTNERD_CONFIG: "one.yaml" }, []],
  ])("is the one that the daemon opens: %j with %j and %j", async (names, environment, overrides) => {
    const options = { files: names, environment, overrides, directory: folder(files) };
    const { config } = await loadConfig(options);
    expect(await loadAdminAddress(options)).toMatchObject({ host: config.admin.host, port: config.admin.port });
  });

  it.each([
    [["one.yaml", "missing.yaml"], {}],
    [["one.yaml"], { PARTNERD_ADMIN_PORT: "high" }],
  ])("is refused with the mistakes that the daemon names: %j with %j", async (names, environment) => {
    const options = { files: names, environment, overrides: [], directory: folder(files) };
    const whole = await loadConfig(options).catch((error: unknown) => error);
    expect(whole).toBeInstanceOf(ConfigError);
    await expect(loadAdminAddress(options)).rejects.toEqual(whole);
  });
});

function set(key: string, text: string): Override {
  return { flag: "--set", key, text };
}

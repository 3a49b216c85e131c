// The sources of client tokens in a configuration: which keys each has, that what is printed can be read again, and that
// no secret is shown.
import { describe, expect, it } from "vitest";
import { printConfig } from "../../../src/config/print.js";
import { least, load } from "./support.js";

const cache = { maxAgeMs: 300_000, unknownMaxAgeMs: 10_000, maxEntries: 10_000 };
const sources: Readonly<Record<string, readonly [text: string, value: object]>> = {
  static: ["{ source: static, tokens: { 11111111-1111-4111-8111-111111111111: hunter2 } }", { source: "static" }],
  file: ["{ source: file, path: ./t.yaml }", { source: "file", path: expect.stringMatching(/^\/.*\/t\.yaml$/) }],
  http: [
    '{ source: http, url: "https://t.example.com/{clientId}?key=hunter2", token: hunter2-hunter2 }',
    { source: "http", url: "https://t.example.com/{clientId}?key=hunter2", cache },
  ],
  command: [
    "{ source: command, command: [./token.sh, --api-key=hunter2] }",
    { source: "command", command: [expect.stringMatching(/^\/.*\/token\.sh$/), "--api-key=hunter2"], cache },
  ],
  module: [
    "{ source: module, path: ./t.js }",
    { source: "module", path: expect.stringMatching(/^\/.*\/t\.js$/), cache },
  ],
  "secrets-manager": [
    '{ source: secrets-manager, secretId: "partnerd/{clientId}", region: eu-west-1 }',
    { source: "secrets-manager", secretId: "partnerd/{clientId}", region: "eu-west-1", cache },
  ],
  dynamodb: [
    "{ source: dynamodb, table: partnerd-tokens, key: id }",
    { source: "dynamodb", table: "partnerd-tokens", key: "id", attribute: "token", cache },
  ],
};

describe.each(Object.entries(sources))("the source %s", (source, [text, value]) => {
  const read = async () => load(`${least}clientTokens: ${text}\n`);

  it("has its own keys and no others", async () => {
    const { config, warnings } = await read();
    expect(warnings).toEqual([]);
    const { tokens: _, token: __, ...others } = config.clientTokens as { tokens?: unknown; token?: unknown };
    expect(others).toEqual(value);
  });

  it("is printed without secrets, and what is printed can be read again", async () => {
    const printed = printConfig(await read());
    expect(printed).not.toContain("hunter2");
    const { config } = await load(printed.replaceAll('"[secret]"', "a-secret-of-many-letters"));
    expect(config.clientTokens.source).toBe(source);
  });

  it("can be chosen by variables, where a variable can hold it", async () => {
    const {
      source: _,
      tokens,
      cache: __,
      ...keys
    } = (await read()).config.clientTokens as never as Record<string, unknown>;
    if (tokens) return;
    const names = Object.entries(keys).map(([key, each]): [string, string] => [
      `PARTNERD_CLIENT_TOKENS_${key.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}`,
      Array.isArray(each) ? each.join(",") : key === "token" ? "hunter2-hunter2" : String(each),
    ]);
    const environment = { ...Object.fromEntries(names), PARTNERD_CLIENT_TOKENS_SOURCE: source };
    const { config } = await load(least, { environment });
    expect(config.clientTokens).toMatchObject({ ...value, source });
  });
});

it("takes the bearer token from a file", async () => {
  const text = 'clientTokens: { source: http, url: "http://127.0.0.1/{clientId}", tokenFile: ./bearer }\n';
  const { config } = await load(`${least}${text}`, { files: { bearer: "hunter2-hunter2\n" } });
  expect(config.clientTokens.source === "http" && config.clientTokens.token?.reveal()).toBe("hunter2-hunter2");
});

it("leaves a program without a slash to PATH", async () => {
  const { config } = await load(`${least}clientTokens: { source: command, command: [pass, show] }\n`);
  expect(config.clientTokens).toMatchObject({ command: ["pass", "show"] });
});

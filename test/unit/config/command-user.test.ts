// Whom commands run as, and what commands of the daemon's own user could read.
import { describe, expect, it } from "vitest";
import { least, load, mistakesOf, optionsFor, warningsOf } from "./support.js";

const withCommand = (keys: string) =>
  least.replace("{ kind: module, path: ./h.js }", `{ kind: command, command: [make]${keys} }`);

describe("the user of a command", () => {
  it.each([
    ["", {}],
    [", user: builder", { user: "builder" }],
    [", user: 1001, group: 1002", { user: "1001", group: "1002" }],
    [', user: "1001"', { user: "1001" }],
    [", user: svc.build_1$, group: users", { user: "svc.build_1$", group: "users" }],
  ])("is read: %s", async (keys, expected) => {
    const { h } = (await load(withCommand(keys))).config.handlers;
    expect(h).toMatchObject({ kind: "command", command: ["make"], env: {}, ...expected });
  });

  it.each([
    [
      ', user: "a b"',
      /handlers\.h\.user is "a b", not the name or number of an account; write a name such as builder, or 1001/,
    ],
    [", user: -1", /handlers\.h\.user is -1, not the name/],
    [", user: 1.5", /handlers\.h\.user is 1\.5, not the name/],
    [", user: 4294967295", /handlers\.h\.user is 4294967295, not the name/],
    [", user: [a]", /handlers\.h\.user is /],
    [", group: users", /handlers\.h\.group needs user, which is not set; set user too/],
  ])("is a mistake: %s", async (keys, expected) => {
    expect(await mistakesOf(optionsFor(withCommand(keys)))).toEqual([expect.stringMatching(expected)]);
  });
});

describe("secrets in the daemon's environment", () => {
  const environment = {
    AWS_ACCESS_KEY_ID: "AKIA-hunter2",
    AWS_SECRET_ACCESS_KEY: "hunter2",
    AWS_SESSION_TOKEN: "hunter2",
    PARTNERD_ADMIN_TOKEN: "hunter2-hunter2-hunter2",
  };

  it("are warned of, each by its name, beside a command of the same user", async () => {
    const lines = await warningsOf(withCommand(""), { environment });
    expect(lines).toEqual([
      "AWS_SECRET_ACCESS_KEY: holds a secret, and commands of the same user (handler h) can read partnerd's environment; let partnerd assume a role, or use a credentials file, or set user for commands",
      expect.stringMatching(/^AWS_SESSION_TOKEN: holds a secret/),
      expect.stringMatching(/^PARTNERD_ADMIN_TOKEN: holds a secret.*; set PARTNERD_ADMIN_TOKEN_FILE, or set user/),
    ]);
    expect(lines.join()).not.toContain("hunter2");
  });

  it.each([
    ["there is no command", least, environment],
    ["commands have a user of their own", withCommand(", user: builder"), environment],
    ["none is set", withCommand(""), { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "", AWS_PROFILE: "p" }],
    ["they are in files", withCommand(""), { AWS_WEB_IDENTITY_TOKEN_FILE: "/token", AWS_CONFIG_FILE: "/c" }],
  ])("are no matter where %s", async (_what, text, variables) => {
    expect(await warningsOf(text, { environment: variables })).toEqual([]);
  });
});

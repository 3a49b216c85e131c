// Nothing is filled in: `${NAME}` in a value is a mistake, with the forms that there are.
import { describe, expect, it } from "vitest";
import { check, least, load, mistakesOf, optionsFor } from "./support.js";

const withHandler = (handler: string) => least.replace("{ kind: module, path: ./h.js }", handler);
const host = "$" + "{SCAN_HOST}";
const token = "$" + "{TOKEN}";

describe("a placeholder is a mistake", () => {
  it.each([
    ["in a URL", withHandler(`{ kind: http, url: "http://${host}:9000" }`), `3: handlers.h.url holds "${host}", and …`],
    ["in a path", `${least}ledger: { path: "/data/$NAME/p.db" }`, `4: ledger.path holds "$NAME", and …`],
    ["of a Region", least.replace("[us-east-1]", `["${token}"]`), `1: regions[0] holds "${token}", and …`],
    ["of a number", `${least}admin: { port: "${token}" }`, `4: admin.port holds "${token}", and …`],
    ["of a duration", `${least}polling: { maxInterval: "{{ rest }}" }`, `4: polling.maxInterval holds "{{ rest }}", …`],
    [
      "of a query's value",
      least.replace(" }]", `, queryParam: { P: "${token}" } }]`),
      `2: actionTypes[0].queryParam.P …`,
    ],
    [
      "in a program's argument",
      withHandler(`{ kind: command, command: [scan, "${token}"] }`),
      `3: handlers.h.command[1] …`,
    ],
    [
      "of a program's variable",
      withHandler(`{ kind: command, command: [a], env: { T: "${token}" } }`),
      `3: handlers.h.env.T …`,
    ],
  ])("%s", (_, text, mistake) => check(text, [mistake]));

  it("of a secret, with the other ways to give one and without a word of it", async () => {
    const lines = await mistakesOf(optionsFor(`${least}admin: { token: "$${"{TOKEN:-hunter2hunter2hunter2}"}" }`));
    expect(lines).toEqual([
      "partnerd.yaml:4: admin.token holds a placeholder, and placeholders are not expanded; write the value, or set " +
        "PARTNERD_ADMIN_TOKEN, or name a file that holds it (the key …File)",
    ]);
  });

  it("in the environment, in a flag and in a secret's file as well", async () => {
    const file = { "t.txt": `${token}\n` };
    const options = optionsFor(`${least}admin: { tokenFile: ./t.txt }`, {
      environment: { PARTNERD_AWS_ENDPOINT: `http://${host}` },
      overrides: [{ flag: "--set", key: "ledger.path", text: "$HOME/p.db" }],
      files: file,
    });
    expect((await mistakesOf(options)).map((line) => line.split(", and")[0])).toEqual([
      'partnerd.yaml:4: admin.tokenFile: the text in "./t.txt" holds a placeholder',
      '--set: ledger.path holds "$HOME"',
      `PARTNERD_AWS_ENDPOINT: aws.endpoint holds "${host}"`,
    ]);
  });

  it("is none in what others read: a shell's script, a template, part of a token", async () => {
    const text = withHandler(
      `{ kind: command, command: [sh, -c, 'echo "${host}"'], env: { LINE: "at ${token}: {{ x }}" } }`,
    );
    await expect(load(text)).resolves.toBeDefined();
  });
});

// Every mistake that a configuration can hold: the line that the user sees for it.
import { describe, expect, it } from "vitest";
import { check, checkTop, least, mistakesOf, optionsFor, webhookSecret } from "./support.js";

const rows: Readonly<Record<string, readonly (readonly [lines: string, mistakes: readonly string[]])[]>> = {
  "units and numbers": [
    [
      "polling: { minInterval: 10 }",
      ["1: polling.minInterval is 10, a number without a unit; write 10s (units: ms, s, m, h)"],
    ],
    [
      `polling: { minInterval: "10" }`,
      [`1: polling.minInterval is "10", a number without a unit; write 10s (units: ms, s, m, h)`],
    ],
    [
      "polling: { minInterval: 10 s }",
      [`1: polling.minInterval is "10 s", not a duration; write 10s (units: ms, s, m, h)`],
    ],
    [
      "polling: { minInterval: 1.5s }",
      [`1: polling.minInterval is "1.5s", not a duration; write 1500ms (units: ms, s, m, h)`],
    ],
    ["polling: { minInterval: 49ms }", ["1: polling.minInterval is 49ms; choose from 50ms to 1h"]],
    [
      "polling: { minInterval: true }",
      ["1: polling.minInterval is true, not a duration; write 10s (units: ms, s, m, h)"],
    ],
    [
      "polling: { minInterval: [1s] }",
      [`1: polling.minInterval is a list, not a duration; write 10s (units: ms, s, m, h)`],
    ],
    ["polling: { minInterval: }", ["1: polling.minInterval is empty; write a value, or remove the key"]],
    [
      "artifacts: { maxArchiveBytes: 1000 }",
      ["1: artifacts.maxArchiveBytes is 1000, a number without a unit; write 1000MiB (units: B, KiB, MiB, GiB, TiB)"],
    ],
    [
      "artifacts: { maxArchiveBytes: 10MB }",
      [`1: artifacts.maxArchiveBytes is "10MB", not a size; write 10MiB (units: B, KiB, MiB, GiB, TiB)`],
    ],
    ["artifacts: { maxArchiveBytes: 0B }", ["1: artifacts.maxArchiveBytes is 0B; choose from 1KiB to 1TiB"]],
    [
      "worker: { maxConcurrentJobs: 10s }",
      [`1: worker.maxConcurrentJobs is "10s", not a whole number; write a whole number from 1 to 10000`],
    ],
    [
      `worker: { maxConcurrentJobs: "10" }`,
      [`1: worker.maxConcurrentJobs is the string "10"; write it without quotes: 10`],
    ],
    [
      "worker: { maxConcurrentJobs: 1.5 }",
      ["1: worker.maxConcurrentJobs is 1.5, not a whole number; write a whole number from 1 to 10000"],
    ],
    [
      "worker: { maxConcurrentJobs: 9007199254740993 }",
      ["1: worker.maxConcurrentJobs is 9007199254740992; write a whole number from 1 to 10000"],
    ],
    [
      "worker: { maxConcurrentJobs: 1e30 }",
      ["1: worker.maxConcurrentJobs is 1e+30; write a whole number from 1 to 10000"],
    ],
    ["worker: { maxConcurrentJobs: 0 }", ["1: worker.maxConcurrentJobs is 0; write a whole number from 1 to 10000"]],
    [
      "worker: { maxConcurrentJobs: .inf }",
      ["1: worker.maxConcurrentJobs is Infinity, not a whole number; write a whole number from 1 to 10000"],
    ],
    [
      "retry: { report: { factor: .nan } }",
      ["1: retry.report.factor is NaN, not a number; write a number from 1 to 10"],
    ],
    [
      "retry: { details: { maxElapsed: never } }",
      [`1: retry.details.maxElapsed is "never", not a duration; write 10s (units: ms, s, m, h)`],
    ],
    ["admin: { port: 70000 }", ["1: admin.port is 70000; write a whole number from 0 to 65535"]],
    ["allowUnknownRegions: yes", [`1: allowUnknownRegions is "yes", not true or false; write true`]],
  ],
  "unknown keys": [
    [
      "worker: { maxConcurentJobs: 5 }",
      ["1: the key worker.maxConcurentJobs is unknown; did you mean maxConcurrentJobs?"],
    ],
    ["maxConcurrentJobs: 5", ["1: the key maxConcurrentJobs is unknown; did you mean worker.maxConcurrentJobs?"]],
    ["log: { colour: red }", ["1: the key log.colour is unknown; known here: level, format"]],
    ["__proto__: { polluted: 1 }", ["1: the key __proto__ is unknown; known here: regions, …"]],
    ["log: { constructor: { prototype: 1 } }", ["1: the key log.constructor is unknown; known here: level, format"]],
    [
      "log: { toString: 1, hasOwnProperty: 2 }",
      [
        "1: the key log.toString is unknown; known here: level, format",
        "1: the key log.hasOwnProperty is unknown; known here: level, format",
      ],
    ],
    [`log: { "a\\u001b[31mb": 1 }`, [`1: the key log."a\\u001b[31mb" is unknown; known here: level, format`]],
    [
      "log: { <<: { level: debug } }",
      ['1: log."<<" is a merge key, which is not supported; write the keys out (aliases work)'],
    ],
    ["clientTokens: { tokensFile: x }", ["1: the key clientTokens.tokensFile is unknown; did you mean tokenFile?"]],
  ],
  "wrong types": [
    ["worker: 5", ["1: worker is a number, not a map; write its keys below it, indented"]],
    ["worker: [5]", ["1: worker is a list, not a map; write its keys below it, indented"]],
    ["log: { level: { a: 1 } }", ["1: log.level is a map, not a known value; choose debug, info, warn or error"]],
    ["log: { level: trace }", [`1: log.level is "trace", not a known value; choose debug, info, warn or error`]],
    ["ledger: { store: redis }", [`1: ledger.store is "redis", not a known value; choose memory, sqlite or dynamodb`]],
    ["ledger: { table: a/b }", [`1: ledger.table is "a/b"; write 3 or more letters, digits and - _ .`]],
    ["ledger: { lease: 1s }", ["1: ledger.lease is 1s; choose from 5s to 10m"]],
    ["ledger: { path: 5 }", ['1: ledger.path is 5, not a string; write path: "5"']],
    [
      "ledger: { path: ~/partnerd.db }",
      [`1: ledger.path is "~/partnerd.db", and ~ is not expanded here; write the full path`],
    ],
    [`ledger: { path: "" }`, ["1: ledger.path is empty; write a value, or remove the key"]],
    [`aws: { appId: "${"x".repeat(51)}" }`, ["1: aws.appId has 51 characters; the maximum is 50"]],
    ["aws: { appId: a b }", [`1: aws.appId is "a b"; write letters, digits and - _ . without spaces`]],
    ["aws: { endpoint: localhost }", [`1: aws.endpoint is not an http or https URL; write "http://localhost"`]],
    ["aws: { endpoint: 'ftp://host' }", [`1: aws.endpoint is not an http or https URL; write "http://host:port/path"`]],
    [
      "aws: { endpoint: 'http://u:hunter2@host' }",
      ["1: aws.endpoint contains a user name or a password; remove it; it would appear in logs"],
    ],
  ],
  "the admin port": [
    [
      "admin: { host: 0.0.0.0 }",
      [
        "1: admin.host 0.0.0.0 opens the admin port to other machines, and admin.token is not set; set admin.token, or use 127.0.0.1",
      ],
    ],
    [
      "admin: { host: '::' }",
      [
        "1: admin.host :: opens the admin port to other machines, and admin.token is not set; set admin.token, or use 127.0.0.1",
      ],
    ],
    [
      "admin: { host: example.com }",
      [`1: admin.host is "example.com", not an address to listen on; write "127.0.0.1", "::1" or "0.0.0.0"`],
    ],
    ["admin: { host: 0.0.0.0, token: hunter2 }", ["1: admin.token has 7 characters; write 16 to 512"]],
    ["admin: { token: 1234567890123456 }", ["1: admin.token is not a string; quote it"]],
    [
      "admin: { token: 'hunter2 hunter2 hunter2' }",
      ["1: admin.token does not look like a bearer token; check that all of it was copied"],
    ],
    [
      "admin: { token: aaaaaaaaaaaaaaaa, tokenFile: ./token }",
      ["1: admin.token and admin.tokenFile are both given; keep one of them"],
    ],
    [
      "admin: { tokenFile: ./none }",
      [`1: admin.tokenFile: the file "./none" does not exist; check its name, and the folder it is relative to`],
    ],
    [
      "admin: { publicUrl: 'http://h/?a=1' }",
      ["1: admin.publicUrl has a query, and partnerd appends paths to it; remove the part from ? on"],
    ],
  ],
  "limits that contradict each other": [
    [
      "polling: { minInterval: 20s }",
      [
        "1: polling.minInterval (20s) is longer than polling.maxInterval (15s); lower polling.minInterval, or raise polling.maxInterval",
      ],
    ],
    [
      "polling:\n  minInterval: 20s\n  maxInterval: 10s",
      ["3: polling.minInterval (20s) is longer than polling.maxInterval (10s); raise polling.maxInterval"],
    ],
    [
      "retry: { report: { maxDelay: 100ms } }",
      ["1: retry.report.minDelay (500ms) is longer than retry.report.maxDelay (100ms); raise retry.report.maxDelay"],
    ],
    // A wrong value is not compared: its default is not what the user wants.
    [
      "polling: { minInterval: 20s, maxInterval: 30 }",
      ["1: polling.maxInterval is 30, a number without a unit; write 30s (units: ms, s, m, h)"],
    ],
  ],
  "client tokens": [
    [
      "clientTokens: { source: file }",
      ["1: clientTokens.path is missing, and source: file needs it; name the client token file"],
    ],
    [
      "clientTokens: { path: ./tokens.yaml }",
      ["1: clientTokens.path has no effect with source: static; write source: file or module, or remove it"],
    ],
    ["clientTokens: { source: vault }", [`1: clientTokens.source is "vault", not a known value; choose static, …`]],
    [
      "clientTokens: { source: dynamodb }",
      ["1: clientTokens.table is missing, and source: dynamodb needs it; name the table"],
    ],
    [
      "clientTokens: { source: http }",
      [
        `1: clientTokens.url is missing, and source: http needs it; write url: "http://127.0.0.1:9000/tokens/{clientId}"`,
      ],
    ],
    [
      "clientTokens: { source: command }",
      ["1: clientTokens.command is missing, and source: command needs it; write command: [./token.sh]"],
    ],
    [
      "clientTokens: { source: module }",
      ["1: clientTokens.path is missing, and source: module needs it; name the module"],
    ],
    [
      "clientTokens: { source: secrets-manager }",
      [
        `1: clientTokens.secretId is missing, and source: secrets-manager needs it; write secretId: "partnerd/{clientId}"`,
      ],
    ],
    ...["http://127.0.0.1:9000/tokens", "http://{clientId}.example.com/", "http://127.0.0.1:9000/{clientid}"].map(
      (url): [string, string[]] => [
        `clientTokens: { source: http, url: "${url}" }`,
        [`1: clientTokens.url has no {clientId} after its host; write "http://127.0.0.1:9000/tokens/{clientId}"`],
      ],
    ),
    [
      'clientTokens: { source: http, url: "http://me:pw@127.0.0.1/{clientId}" }',
      ["1: clientTokens.url contains a user name or a password; remove it; it would appear in logs"],
    ],
    [
      'clientTokens: { source: http, url: "http://127.0.0.1/{clientId}", token: "a b" }',
      ["1: clientTokens.token does not look like a bearer token; check that all of it was copied"],
    ],
    [
      "clientTokens: { source: command, command: [node, ./token.js] }",
      ["1: clientTokens.command[1] is a relative path, and the program runs in /; write an absolute path"],
    ],
    [
      "clientTokens: { source: command, command: ./token.sh }",
      ["1: clientTokens.command is a string, not a list; write [program, argument, …]: no shell is used"],
    ],
    [
      'clientTokens: { source: secrets-manager, secretId: "a b" }',
      [`1: clientTokens.secretId is "a b"; write the name or ARN of a secret, such as partnerd/{clientId}`],
    ],
    [
      "clientTokens: { source: file, path: ./t.yaml, cache: { maxAge: 1m } }",
      ["1: clientTokens.cache.maxAge has no effect with source: file; write source: http or command …"],
    ],
    [
      "clientTokens: { source: module, path: ./t.js, table: tokens }",
      ["1: clientTokens.table has no effect with source: module; write source: dynamodb, or remove it"],
    ],
    [
      "clientTokens: { source: module, path: ./t.js, cache: { maxAge: 0s, maxEntries: 0 } }",
      [
        "1: clientTokens.cache.maxAge is 0s; choose from 1s to 24h",
        "1: clientTokens.cache.maxEntries is 0; write a whole number from 1 to 1000000",
      ],
    ],
    [
      "clientTokens: { source: static }",
      ["1: clientTokens.tokens is missing, and source: static needs it; write tokens: {CLIENT-ID: TOKEN}"],
    ],
    [
      "clientTokens: { tokens: { Acme: hunter2 } }",
      [`1: clientTokens.tokens.Acme is not a valid key; write a client id: a UUID in lower case`],
    ],
    [
      "clientTokens: { tokens: { 11111111-1111-4111-8111-111111111111: 12345678 } }",
      ["1: clientTokens.tokens.11111111-1111-4111-8111-111111111111 is not a string; quote it"],
    ],
    [
      `clientTokens: { tokens: { 11111111-1111-4111-8111-111111111111: "" } }`,
      ["1: clientTokens.tokens.11111111-1111-4111-8111-111111111111 has 0 characters; write 1 to 256"],
    ],
    [
      "clientTokens: { tokens: { __proto__: hunter2 } }",
      [`1: clientTokens.tokens.__proto__ is not a valid key; write a client id: a UUID in lower case`],
    ],
  ],
};

describe.each(Object.entries(rows))("%s", (_, cases) => {
  it.each(cases)("says what is wrong in %j", async (lines, mistakes) => {
    await checkTop(lines, mistakes);
  });
});

/** One action type and one handler, which a row changes. */
function whole(change: { type?: string; handler?: string; top?: string; regions?: string }): string {
  return `regions: ${change.regions ?? "[us-east-1]"}
actionTypes:
  - { ${change.type ?? `provider: Acme, category: Test, owner: Custom, version: "1", handler: h`} }
handlers:
  h: ${change.handler ?? "{ kind: module, path: ./h.js }"}
${change.top ?? ""}`;
}

describe("action types", () => {
  const named = (more: string) => ({
    type: `provider: Acme, category: Test, owner: Custom, version: "1", handler: h, ${more}`,
  });

  it.each([
    [
      { type: `provider: Acme, category: Test, owner: Custom, version: 1, handler: h` },
      ['3: actionTypes[0].version is 1, not a string; write version: "1"'],
    ],
    [
      { type: `provider: Acme, category: Test, owner: Custom, version: "0123456789", handler: h` },
      ["3: actionTypes[0].version has 10 characters; the maximum is 9"],
    ],
    [
      { type: `provider: "Acme Scan", category: Test, owner: Custom, version: "1", handler: h` },
      [`3: actionTypes[0].provider is "Acme Scan"; write letters, digits, - and _ only`],
    ],
    [
      { type: `provider: ${"a".repeat(36)}, category: Test, owner: Custom, version: "1", handler: h` },
      ["3: actionTypes[0].provider has 36 characters; the maximum is 35"],
    ],
    [
      { type: `provider: Acme, category: test, owner: Custom, version: "1", handler: h` },
      [
        `3: actionTypes[0].category is "test", not a known value; write Test (choose Source, Build, Deploy, Test, Invoke, Approval or Compute)`,
      ],
    ],
    [
      { type: `provider: Acme, category: Test, owner: AWS, version: "1", handler: h` },
      [`3: actionTypes[0].owner is "AWS", not a known value; choose ThirdParty or Custom`],
    ],
    [
      { type: "category: Test" },
      [
        "3: actionTypes[0].provider is missing; add it: The provider of the action type",
        "3: actionTypes[0].owner is missing; add it: The owner of the action type",
        "3: actionTypes[0].version is missing; add it: The version of the action type, in quotes",
        "3: actionTypes[0].handler is missing; add it: The handler that runs its jobs: a name in `handlers`",
      ],
    ],
    [
      named("jobTimeout: 30"),
      ["3: actionTypes[0].jobTimeout is 30, a number without a unit; write 30s (units: ms, s, m, h)"],
    ],
    [named("afterCrash: retry"), [`3: actionTypes[0].afterCrash is "retry", not a known value; choose fail or rerun`]],
    [named("serialBy: Project"), [`3: actionTypes[0].serialBy is "Project"; write client or configuration.NAME`]],
    [named("weight: 0"), ["3: actionTypes[0].weight is 0; write a number from 0.1 to 100"]],
    [named("queryParam: { A: b, C: d }"), ["3: actionTypes[0].queryParam has 2 entries; the maximum is 1"]],
    [
      named("queryParam: { A: 'b c' }"),
      [`3: actionTypes[0].queryParam.A is "b c"; write letters, digits, - and _ only`],
    ],
    [named("queryParam: { A: 5 }"), ['3: actionTypes[0].queryParam.A is 5, not a string; write A: "5"']],
    [
      named(`queryParam: { A: ${"x".repeat(51)} }`),
      ["3: actionTypes[0].queryParam.A has 51 characters; the maximum is 50"],
    ],
    [
      named("queryParams: { A: b }"),
      ["3: actionTypes[0].queryParams is a map, not a list; write [{ Project: shop }, { Project: blog }]"],
    ],
    [named("queryParams: []"), ["3: actionTypes[0].queryParams is empty; write [{ Project: shop }, …"]],
    [named("queryParams: [{}]"), ["3: actionTypes[0].queryParams[0] names no property; write [{ Project: shop }, …"]],
    [named("queryParams: [b]"), ["3: actionTypes[0].queryParams[0] is not a map; write {name: value}"]],
    [
      named("queryParams: [{ A: b }, { A: 'c d' }]"),
      [`3: actionTypes[0].queryParams[1] has "A", which is "c d"; write letters, digits, - and _ only`],
    ],
    [
      named("queryParams: [{ A: 5 }]"),
      [`3: actionTypes[0].queryParams[0] has "A", which is 5, not a string; quote it`],
    ],
    [named("queryParams: [{ A: b, C: d }]"), ["3: actionTypes[0].queryParams[0] has 2 entries; the maximum is 1"]],
    [
      named("queryParams: [{ A: b }, { A: c }, { A: b }]"),
      ["3: actionTypes[0].queryParams[2] repeats item 0; remove it"],
    ],
    [
      named("queryParams: [{ A: b }, { C: d }]"),
      [
        `3: actionTypes[0].queryParams[1] names "C", and those before it "A"; an action type has only one queryable property: use that one`,
      ],
    ],
    [
      named("queryParam: { A: b }, queryParams: [{ A: c }]"),
      ["3: actionTypes[0].queryParam and actionTypes[0].queryParams are both given; keep one of them"],
    ],
    [
      named("secretProperties: [A], queryParams: [{ A: b }, { A: c }]"),
      [`3: actionTypes[0].secretProperties and actionTypes[0].queryParams both name "A"; keep one of them`],
    ],
    [named("queryParam: [A]"), ["3: actionTypes[0].queryParam is not a map; write {name: value}"]],
    [
      named("secretProperties: [ApiKey, ApiKey]"),
      [`3: actionTypes[0].secretProperties[1] repeats "ApiKey"; remove it`],
    ],
    [named("secretProperties: ApiKey"), [`3: actionTypes[0].secretProperties is "ApiKey", not a list; write [ApiKey]`]],
    [
      named("secretProperties: [A, B], notSecretProperties: [B]"),
      [`3: actionTypes[0].secretProperties and actionTypes[0].notSecretProperties both name "B"; keep one of them`],
    ],
    [
      named("secretProperties: [A], queryParam: { A: b }"),
      [`3: actionTypes[0].secretProperties and actionTypes[0].queryParam both name "A"; keep one of them`],
    ],
    [named("regions: [us-east-1, us-east-1]"), [`3: actionTypes[0].regions[1] repeats "us-east-1"; remove it`]],
    [named("regions: []"), ["3: actionTypes[0] has no Region; set regions, at the top level or here"]],
    [named("env: { A: b }"), ["3: the key actionTypes[0].env is unknown; known here: provider, …"]],
    [
      { type: `provider: Acme, category: Test, owner: Custom, version: "1", handler: hh` },
      [`3: actionTypes[0].handler "hh" is not in handlers; did you mean "h"?`],
    ],
    [
      { type: `provider: Acme, category: Test, owner: Custom, version: "1", handler: constructor` },
      [`3: actionTypes[0].handler "constructor" is not in handlers; add it to handlers`],
    ],
    [
      { type: `provider: Acme, category: Test, owner: ThirdParty, version: "1", handler: h` },
      ["3: third-party action types need client tokens, and there are none; add clientTokens: {source: file, path: …}"],
    ],
    [
      {
        type: `provider: Acme, category: Test, owner: ThirdParty, version: "1", handler: h`,
        top: "clientTokens: {source: static, tokens: {}}",
      },
      ["3: third-party action types need client tokens, and there are none; add clientTokens: {source: file, path: …}"],
    ],
    [
      {
        type: `provider: Acme, category: Test, owner: ThirdParty, version: "1", handler: h, queryParam: {A: b}`,
        top: "clientTokens: {source: file, path: ./t.yaml}",
      },
      [
        "3: actionTypes[0].queryParam is only for Custom action types: PollForThirdPartyJobs has no such parameter; remove it",
      ],
    ],
    [
      {
        type: `provider: Acme, category: Test, owner: ThirdParty, version: "1", handler: h, queryParams: [{A: b}]`,
        top: "clientTokens: {source: file, path: ./t.yaml}",
      },
      [
        "3: actionTypes[0].queryParams is only for Custom action types: PollForThirdPartyJobs has no such parameter; remove it",
      ],
    ],
  ])("says what is wrong in %j", async (change, mistakes) => {
    await check(whole(change), mistakes);
  });

  it("refuses the same action type twice in one Region, and takes it in two", async () => {
    const type = (regions: string) =>
      `  - { provider: Acme, category: Test, owner: Custom, version: "1", handler: h, regions: ${regions} }`;
    const text = (first: string, second: string) =>
      `actionTypes:\n${type(first)}\n${type(second)}\nhandlers: { h: { kind: module, path: ./h.js } }\n`;
    await check(text("[us-east-1]", "[eu-west-1, us-east-1]"), [
      "3: actionTypes[1] is the same action type as actionTypes[0] in us-east-1; keep one of them",
    ]);
    await check(text("[us-east-1]", "[eu-west-1]"), []);
  });

  it.each([
    ["actionTypes: []", "actionTypes is empty; name at least one action type"],
    ["actionTypes:", "actionTypes is empty; write a value, or remove the key"],
    ["actionTypes: { provider: Acme }", "actionTypes is not a list; start each action type with a dash"],
    ["actionTypes: [Acme]", "actionTypes[0] is a string, not a map; write its keys below it, indented"],
  ])("refuses %j", async (line, mistake) => {
    await check(`${line}\nregions: [us-east-1]\nhandlers: {}\n`, [`1: ${mistake}`]);
  });

  it("misses both lists in a file that has neither", async () => {
    await check("log: { level: info }\n", [
      "1: actionTypes is missing; add it: The action types to poll, as a list",
      "1: handlers is missing; add it: The handlers that run the jobs, by name",
    ]);
  });
});

describe("Regions", () => {
  it.each([
    [
      "[us-esat-1]",
      `1: regions[0] is "us-esat-1", not a known Region; did you mean "us-east-1"? A new Region needs allowUnknownRegions: true`,
    ],
    [
      "[us-east-1, xx-nowhere-9]",
      `1: regions[1] is "xx-nowhere-9", not a known Region; a new Region needs allowUnknownRegions: true`,
    ],
    ["[US-EAST-1]", `1: regions[0] is "US-EAST-1"; write "us-east-1"`],
    ["us-east-1", `1: regions is "us-east-1", not a list; write [us-east-1]`],
    ["[us-east-1, us-east-1]", `1: regions[1] repeats "us-east-1"; remove it`],
    ["[1]", `1: regions[0] is 1, not a string; write "1"; and then write a Region such as "us-east-1"`],
    [`["us-east-1 "]`, `1: regions[0] is "us-east-1 "; write "us-east-1"`],
  ])("refuses %s", async (regions, mistake) => {
    await check(whole({ regions }), [mistake]);
  });

  it("takes an unknown one where somebody vouches for it", async () => {
    await check(whole({ regions: "[xx-new-9]", top: "allowUnknownRegions: true" }), []);
    await check(whole({ regions: "[xx-new-9]", top: "aws: { endpoint: 'http://127.0.0.1:4599' }" }), []);
    for (const name of ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CODEPIPELINE"]) {
      await check(whole({ regions: "[xx-new-9]" }), [], { environment: { [name]: "http://127.0.0.1:4599" } });
    }
  });
});

describe("handlers", () => {
  it.each([
    ["{ kind: lambda, path: x }", [`5: handlers.h.kind is "lambda"; choose module, command or http`]],
    ["{ path: x }", ["5: handlers.h.kind is missing; choose module, command or http"]],
    ["{ kind: [module] }", ["5: handlers.h.kind is not a string; choose module, command or http"]],
    ["{ kind: constructor }", [`5: handlers.h.kind is "constructor"; choose module, command or http`]],
    ["./h.js", ["5: handlers.h is a string, not a map; write its keys below it, indented"]],
    ["{ kind: module }", ["5: handlers.h.path is missing; add it: An ES module that exports `handler` (or default)"]],
    [
      "{ kind: module, path: ./h.js, url: x }",
      ["5: the key handlers.h.url is unknown; known here: kind, path, isolation, maxMemory, breaker"],
    ],
    [
      "{ kind: command, command: ./build.sh }",
      ["5: handlers.h.command is a string, not a list; write [program, argument, …]: no shell is used"],
    ],
    ["{ kind: command, command: [] }", ["5: handlers.h.command is empty; write [program, argument, …]"]],
    ["{ kind: command, command: [make, 5] }", ["5: handlers.h.command[1] is not a string; quote it"]],
    [`{ kind: command, command: [""] }`, ["5: handlers.h.command[0] is empty; name a program"]],
    [`{ kind: command, command: ["a\\0b"] }`, ["5: handlers.h.command[0] contains a NUL character; remove it"]],
    ["{ kind: command, command: [make], env: { LEVEL: 2 } }", ["5: handlers.h.env.LEVEL is not a string; quote it"]],
    ["{ kind: command, command: [make], env: { LEVEL: true } }", ["5: handlers.h.env.LEVEL is not a string; quote it"]],
    ["{ kind: command, command: [make], env: { LEVEL: } }", ["5: handlers.h.env.LEVEL is empty; write a string"]],
    [
      "{ kind: command, command: [make], env: { A-B: x } }",
      ["5: handlers.h.env.A-B is not a valid key; write letters, digits and _ only"],
    ],
    [
      "{ kind: command, command: [make], env: { __proto__: x } }",
      ["5: handlers.h.env.__proto__ is not a valid key; write letters, digits and _ only"],
    ],
    [
      "{ kind: command, command: [make], env: { PARTNERD_OUTCOME: x } }",
      [
        "5: handlers.h.env.PARTNERD_OUTCOME is not a valid key; choose another name: partnerd sets the variables PARTNERD_… itself",
      ],
    ],
    ["{ kind: http }", ["5: handlers.h.url is missing; add it: Where job documents are posted"]],
    [
      "{ kind: http, url: 'file:///etc/passwd' }",
      [`5: handlers.h.url is not an http or https URL; write "http://host:port/path"`],
    ],
    [
      "{ kind: http, url: 'http://u:hunter2@h/' }",
      ["5: handlers.h.url contains a user name or a password; remove it; it would appear in logs"],
    ],
    ["{ kind: http, url: 'http://h/#a' }", [`5: handlers.h.url ends in "#a"; remove the part from # on`]],
    [
      "{ kind: http, url: 'http://h/', requestTimeout: 30 }",
      ["5: handlers.h.requestTimeout is 30, a number without a unit; write 30s (units: ms, s, m, h)"],
    ],
    [
      "{ kind: http, url: 'http://h/', secret: hunter2 }",
      ["5: handlers.h.secret is not `whsec_` and base64; make one: echo whsec_$(openssl rand -base64 32)"],
    ],
    [
      "{ kind: http, url: 'http://h/', secret: whsec_aGk= }",
      ["5: handlers.h.secret holds 2 bytes instead of 24 to 64; make one: echo whsec_$(openssl rand -base64 32)"],
    ],
    [
      `{ kind: http, url: 'http://h/', secret: ${webhookSecret}, secretFile: ./s }`,
      ["5: handlers.h.secret and handlers.h.secretFile are both given; keep one of them"],
    ],
  ])("says what is wrong in %j", async (handler, mistakes) => {
    await check(whole({ handler }), mistakes);
  });

  it.each(["../h", "-h", "h h", '""', "__proto__", "h".repeat(65)])("refuses the name %s", async (name) => {
    const text = whole({ type: `provider: Acme, category: Test, owner: Custom, version: "1", handler: x` });
    const [, mistake, ...more] = await mistakesOf(optionsFor(text.replace("  h:", `  ${name}:`)));
    expect(mistake).toMatch(/^partnerd\.yaml:5: .* is not a valid handler name; write up to 64 letters/);
    expect(more).toEqual([]);
  });
});

describe("all mistakes", () => {
  it.each([
    ["is nested too deeply", `worker: ${"[".repeat(30)}${"]".repeat(30)}`],
    ["holds too many values", `worker: [${"a, ".repeat(60_000)}]`],
  ])("are one, about its size, where a file %s", async (what, line) => {
    expect(await mistakesOf(optionsFor(`${line}\n${least}`))).toEqual([expect.stringContaining(what)]);
  });

  it("are told at once, line by line", async () => {
    const lines = await mistakesOf(
      optionsFor(`worker: { maxConcurrentJobs: many }
polling: { minInterval: 1 }
colour: red
actionTypes:
  - { provider: Acme, category: Tests, owner: Custom, version: 1, handler: none }
  - { provider: Acme }
handlers:
  build: { kind: command }
regions: [us-wset-2]
`),
    );
    expect(lines.map((line) => line.split(":")[1])).toEqual([
      "1",
      "2",
      "3",
      "5",
      "5",
      "5",
      "6",
      "6",
      "6",
      "6",
      "8",
      "9",
    ]);
  });

  it.each([
    ["a space without a break", "log:\u00a0{ level: debug }", '"log:\\u{a0}{ level"'],
    ["an indentation of them", "log:\n\u00a0\u00a0level: debug", '"\\u{a0}\\u{a0}level"'],
    ["a space without width", "\u200blog: { level: debug }", '"\\u{200b}log"'],
    ["a mark of direction", "lo\u202eg: { level: debug }", '"lo\\u{202e}g"'],
    ["a wide space", "\u3000log: { level: debug }", '"\\u{3000}log"'],
    ["a byte order mark further down", "\n\ufefflog: { level: debug }", '"\\u{feff}log"'],
    ["a control character", '"log\\u009b": { level: debug }', '"log\\u{9b}"'],
  ])("show what nobody sees: %s", async (_what, lines, key) => {
    expect(await mistakesOf(optionsFor(`${least}${lines}\n`))).toEqual([
      expect.stringMatching(/: the key .* is unknown; retype this line: it holds a character that cannot be seen$/),
    ]);
    expect((await mistakesOf(optionsFor(`${least}${lines}\n`)))[0]).toContain(`the key ${key} is unknown`);
  });

  it.each([
    ["", `the key "" is unknown`],
    ["File", "the key File is unknown"],
    ["regionsFile", "the key regionsFile is unknown"],
  ])("are not made up of a key that belongs to no other: %j", async (key, what) => {
    const lines = await mistakesOf(optionsFor(`"${key}": c\n${least}`));
    expect(lines).toEqual([expect.stringContaining(what)]);
  });

  it("are told of several files, each with its name", async () => {
    const options = optionsFor(least, { files: { "more.yaml": "log: { level: loud }\n" } });
    expect(await mistakesOf({ ...options, files: ["partnerd.yaml", "more.yaml", "none.yaml"] })).toEqual([
      expect.stringContaining("none.yaml does not exist"),
    ]);
    expect(await mistakesOf({ ...options, files: ["partnerd.yaml", "more.yaml"] })).toEqual([
      expect.stringContaining("more.yaml:1: log.level"),
    ]);
  });

  it("stay within a limit, and say how many are left out", async () => {
    const keys = Array.from({ length: 500 }, (_, index) => `key${index}: 1`).join("\n");
    const lines = await mistakesOf(optionsFor(`${keys}\n${least}`));
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe("400 more mistakes are not shown; correct these first");
  });

  it("never show a secret", async () => {
    const secret = "hunter2-hunter2-hunter2";
    const texts = [
      `admin: { token: "${secret} ${secret}" }`,
      `admin: { token: [${secret}] }`,
      `admin: { token: { a: ${secret} } }`,
      `admin: { token: "${secret}\\u0000" }`,
      `clientTokens: { tokens: { 11111111-1111-4111-8111-111111111111: [${secret}] } }`,
      `clientTokens: { tokens: [${secret}] }`,
      `clientTokens: { tokens: ${secret} }`,
    ];
    for (const text of texts) {
      const lines = await mistakesOf(optionsFor(`${text}\n${least}`));
      expect(lines).not.toEqual([]);
      expect(lines.join("\n")).not.toContain("hunter2");
    }
    const handlers = [`secret: ${secret}`, `secret: [${secret}]`, `secret: whsec_${secret}`];
    for (const handler of handlers) {
      const lines = await mistakesOf(optionsFor(whole({ handler: `{ kind: http, url: "http://h/", ${handler} }` })));
      expect(lines).not.toEqual([]);
      expect(lines.join("\n")).not.toContain("hunter2");
    }
  });
});

// Accounts: what can be wrong with them and with who names them, as the lines that a user sees.
import { describe, expect, it } from "vitest";
import { pollersOf } from "../../../src/compose/build.js";
import { checkTop, least, load, mistakesOf, optionsFor, warningsOf } from "./support.js";

const role = "arn:aws:iam::111111111111:role/partnerd";

describe("accounts", () => {
  it.each<readonly [string, readonly string[]]>([
    ["accounts: {}", ["1: accounts names no account; write `NAME: { roleArn: … }`, or remove the key"]],
    ["accounts: [shop]", ["1: accounts is not a map; write `NAME: { roleArn: … }`"]],
    ["accounts: { a@b: {} }", ['1: "a@b" is not a valid account name; write up to 64 letters, …']],
    ["accounts: { shop: role }", ["1: accounts.shop is a string, not a map; write its keys below it, indented"]],
    ["accounts: { shop: { roleARN: x } }", ["1: the key accounts.shop.roleARN is unknown; did you mean roleArn?"]],
    [
      "accounts: { shop: { roleArn: partnerd } }",
      ['1: accounts.shop.roleArn is "partnerd"; write arn:aws:iam::111111111111:role/partnerd'],
    ],
    [
      `accounts: { shop: { roleArn: "${role}", profile: shop } }`,
      [
        "1: accounts.shop.roleArn and accounts.shop.profile are both given; keep one of them: a profile may name a role itself",
      ],
    ],
    [
      "accounts: { shop: { externalId: abc } }",
      ["1: accounts.shop.externalId needs roleArn, which is not set; set roleArn too"],
    ],
    [
      `accounts: { shop: { roleArn: "${role}", externalId: "a b" } }`,
      ['1: accounts.shop.externalId is "a b"; write …'],
    ],
    [`accounts: { shop: { roleArn: "${role}", sessionName: x } }`, ['1: accounts.shop.sessionName is "x"; write …']],
    [
      `accounts: { a: { roleArn: "${role}" }, b: { roleArn: "${role}" } }`,
      ["1: accounts.b uses the same credentials as accounts.a; keep one of them"],
    ],
    ["accounts: { a: {}, b: {} }", ["1: accounts.b uses the same credentials as accounts.a; keep one of them"]],
    [
      `accounts: { cn: { roleArn: "arn:aws-cn:iam::111111111111:role/p" } }`,
      [
        "1: actionTypes[0] is polled in us-east-1, but the role of the account cn is in the partition aws-cn; name other accounts or Regions in actionTypes[0]",
      ],
    ],
  ])("of %s are wrong", async (line, mistakes) => {
    await checkTop(line, mistakes);
  });

  it.each<readonly [string, string, string]>([
    ["accounts: { shop: {} }", "[shpo]", 'actionTypes[0].accounts[0] "shpo" is not in accounts; did you mean "shop"?'],
    ["accounts: { shop: {} }", "[docs]", 'actionTypes[0].accounts[0] "docs" is not in accounts; add it to accounts'],
    ["", "[shop]", 'actionTypes[0].accounts[0] "shop" is not in accounts; add accounts, or remove it'],
    ["", "[default]", ""],
    [
      "accounts: { shop: {} }",
      "[]",
      "actionTypes[0].accounts is empty; name an account, or remove the key to use all of them",
    ],
    ["accounts: { shop: {} }", "[shop, shop]", 'actionTypes[0].accounts[1] repeats "shop"; remove it'],
    ["accounts: { shop: {} }", "[constructor]", 'actionTypes[0].accounts[0] "constructor" is not in accounts; …'],
  ])("with %s: an action type that names %s", async (accounts, names, mistake) => {
    const text = `${accounts}\n${least.replace("handler: h", `handler: h, accounts: ${names}`)}`;
    const lines = await mistakesOf(optionsFor(text));
    const [expected = "", isPart] = mistake.endsWith("…") ? [mistake.slice(0, -1), true] : [mistake, false];
    expect(lines.map((line) => (isPart ? line.includes(expected) : line.endsWith(`: ${expected}`)))).toEqual(
      mistake === "" ? [] : [true],
    );
  });

  it("that nobody names are worth a warning", async () => {
    const text = `accounts: { shop: {}, blog: { profile: blog } }\n${least.replace("handler: h", "handler: h, accounts: [shop]")}`;
    expect(await warningsOf(text)).toEqual([
      "partnerd.yaml:1: no action type uses the account blog; remove it, or name it in an action type",
    ]);
  });

  it("have the same action type each, but not twice", async () => {
    const type = (accounts: string) =>
      `{ provider: Acme, category: Test, owner: Custom, version: "1", handler: h, accounts: ${accounts} }`;
    const text = (one: string, other: string) =>
      `accounts: { a: {}, b: { profile: b } }\n${least.replace(/\[\{.*\}\]/, `[${type(one)}, ${type(other)}]`)}`;
    const { config } = await load(text("[a]", "[b]"));
    // Each entry has a limit of its own.
    expect(pollersOf(config).map(({ account, group }) => [account, group])).toEqual([
      ["a", "Custom/Test/Acme/1 in us-east-1 for a"],
      ["b", "Custom/Test/Acme/1 in us-east-1 for b"],
    ]);
    expect(await mistakesOf(optionsFor(text("[a]", "[a, b]")))).toEqual([
      "partnerd.yaml:3: actionTypes[1] is the same action type as actionTypes[0] in us-east-1 (account a); keep one of them",
    ]);
  });
});

describe("pollers", () => {
  const polled = async (top: string, more = "") => {
    const { config } = await load(`${top}\n${least.replace("handler: h", `handler: h${more}`)}`);
    return pollersOf(config).map(({ account, region, queryParam }) => [account, region, queryParam?.["P"]]);
  };

  it("are one for each account, Region and value; the account `default` names none", async () => {
    expect(await polled("")).toEqual([[undefined, "us-east-1", undefined]]);
    expect(await polled("accounts: { default: {}, shop: { profile: shop } }")).toEqual([
      [undefined, "us-east-1", undefined],
      ["shop", "us-east-1", undefined],
    ]);
    const both = ", regions: [us-east-1, eu-west-1], queryParams: [{ P: a }, { P: b }], accounts: [shop]";
    expect(await polled("accounts: { shop: {}, blog: { profile: blog } }", both)).toEqual([
      ["shop", "us-east-1", "a"],
      ["shop", "us-east-1", "b"],
      ["shop", "eu-west-1", "a"],
      ["shop", "eu-west-1", "b"],
    ]);
  });
});

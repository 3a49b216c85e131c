// A custom action type in AWS GovCloud, where CodePipeline has none.
import { expect, it } from "vitest";
import { least, warningsOf } from "./support.js";

it("warns once of a custom action type in GovCloud", async () => {
  const text = least.replace("regions: [us-east-1]", "regions: [us-east-1, us-gov-west-1, us-gov-east-1]");
  expect(await warningsOf(text)).toEqual([
    expect.stringMatching(
      /custom action type in us-gov-west-1, us-gov-east-1, and CodePipeline has no custom actions in AWS GovCloud/,
    ),
  ]);
});

it.each([
  ["elsewhere", least],
  ["of a partner", least.replace("us-east-1", "us-gov-west-1").replace("owner: Custom", "owner: ThirdParty")],
])("is silent of a type %s", async (_, text) => {
  expect(
    (await warningsOf(`${text}clientTokens: { tokens: { 00000000-0000-4000-8000-000000000001: t } }\n`)).filter(
      (line) => line.includes("GovCloud"),
    ),
  ).toEqual([]);
});

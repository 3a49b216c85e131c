// What the action types themselves mark as secret: asked once, by Region and type, where that is permitted.

import { GetActionTypeCommand, type ListActionTypesCommand } from "@aws-sdk/client-codepipeline";
import { expect, it } from "vitest";
import type { GatewayError } from "../../../src/codepipeline/gateway.js";
import type { Asked } from "../../../src/codepipeline/pattern-calls.js";
import { SecretMarks } from "../../../src/codepipeline/secret-marks.js";
import type { Region } from "../../../src/job/job.js";
import { FakeClock } from "../../support/fake-clock.js";
import { system, thrown } from "./thrown.js";

const scan = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;
const build = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" } as const;
const deploy = { ...build, category: "Deploy", provider: "Acme-Deploy" } as const;
const [us, eu] = ["us-east-1", "eu-west-1"] as unknown as [Region, Region];

function given(answer: (command: object, region: Region) => unknown) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const unknown: [Region, GatewayError][] = [];
  const marks = new SecretMarks({
    clock,
    onUnknown: ({ region }, fault) => unknown.push([region, fault]),
    client: ({ region }) => ({
      send: async <Output>({ Command, input }: Asked) => {
        const command = new Command(input as never);
        asked.push(`${region} ${command.constructor.name}`);
        return answer(command, region) as Output;
      },
    }),
  });
  return { marks, clock, asked, unknown };
}

/** One page for each call; the second one has the rest. */
function listing(command: ListActionTypesCommand) {
  const of = (id: typeof build | typeof deploy, names: readonly string[]) => ({
    id,
    actionConfigurationProperties: names.map((name) => ({ name, secret: name !== "Target" })),
  });
  if (command.input.nextToken === undefined) return { actionTypes: [of(build, ["Licence", "Target"])], nextToken: "2" };
  return { actionTypes: [of(deploy, ["Pin"])] };
}

const noEcho = {
  actionType: {
    properties: [
      { name: "Pin", noEcho: true },
      { name: "Target", noEcho: false },
    ],
  },
};

it("are those of GetActionType and ListActionTypes, each asked for once in a Region", async () => {
  const { marks, asked } = given((command) =>
    command instanceof GetActionTypeCommand ? noEcho : listing(command as ListActionTypesCommand),
  );
  const types = [scan, build, deploy].map((actionType) => ({ region: us, actionType }));
  expect(marks.has({ region: us, actionType: scan }, "Pin")).toBe(false);
  await marks.ask([...types, { region: eu, actionType: scan }]);
  await marks.ask(types);
  expect(asked.sort()).toEqual([
    "eu-west-1 GetActionTypeCommand",
    "us-east-1 GetActionTypeCommand",
    "us-east-1 ListActionTypesCommand",
    "us-east-1 ListActionTypesCommand",
  ]);
  const marked = (actionType: typeof scan | typeof build | typeof deploy, region = us) =>
    ["Pin", "Licence", "Target"].filter((name) => marks.has({ region, actionType }, name));
  expect([marked(scan), marked(build), marked(deploy)]).toEqual([["Pin"], ["Licence"], ["Pin"]]);
  expect([marked(scan, eu), marked(build, eu)]).toEqual([["Pin"], []]);
});

it("stay unknown, told once for each Region and operation, where the policy forbids to ask", async () => {
  const { marks, clock, asked, unknown } = given(() => {
    throw thrown("AccessDeniedException", 400);
  });
  await marks.ask([scan, { ...scan, version: "2" }, build].map((actionType) => ({ region: us, actionType })));
  expect(unknown.map(([region, { operation }]) => `${region} ${operation}`).sort()).toEqual([
    "us-east-1 GetActionType",
    "us-east-1 ListActionTypes",
  ]);
  expect(asked).toHaveLength(3);
  expect(clock.pending).toBe(0);
});

it("are asked for again after a fault that passes, until there is an answer or an end", async () => {
  let fault: Error | undefined = system("ECONNRESET");
  const { marks, clock, asked, unknown } = given(() => {
    if (fault) throw fault;
    return noEcho;
  });
  await marks.ask([{ region: us, actionType: scan }]);
  fault = thrown("ExpiredTokenException", 400);
  await clock.advance(60_000);
  fault = undefined;
  expect(marks.has({ region: us, actionType: scan }, "Pin")).toBe(false);
  await clock.advance(60_000);
  expect(marks.has({ region: us, actionType: scan }, "Pin")).toBe(true);
  fault = system("ECONNRESET");
  await marks.ask([{ region: eu, actionType: scan }]);
  marks.close();
  await clock.advance(600_000);
  expect([asked.length, unknown.length, clock.pending]).toEqual([4, 0, 0]);
});

it("are none of a type that is not there, nor of an answer that is none", async () => {
  const { marks, unknown, clock } = given((command) => {
    if (command instanceof GetActionTypeCommand) throw thrown("ActionTypeNotFoundException", 400);
    return { actionTypes: "none" };
  });
  await marks.ask([scan, build].map((actionType) => ({ region: us, actionType })));
  expect(marks.has({ region: us, actionType: scan }, "Pin")).toBe(false);
  expect([unknown.length, clock.pending]).toEqual([0, 0]);
});

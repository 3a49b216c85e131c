// `partnerd ledger-table`: JSON alone on stdout, so that it can be piped; the rest on stderr.
import { join } from "node:path";
import { expect, it } from "vitest";
import { tableDefinition } from "../../../src/ledger/dynamodb/table.js";
import { folder, least } from "../config/support.js";
import { cli } from "./io.js";

it("prints the definition of the configured table as JSON, and how to go on beside it", async () => {
  const ledger = "ledger: { store: dynamodb, table: our-jobs, region: eu-west-1 }";
  const directory = folder({ "c.yaml": `${least}${ledger}\n` });
  const { code, out, err } = await cli(["ledger-table", "-c", join(directory, "c.yaml")]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual(tableDefinition("our-jobs"));
  expect(err).toContain("create-table --region eu-west-1 --cli-input-json");
  expect(err).toContain("--table-name our-jobs --time-to-live-specification Enabled=true,AttributeName=expiresAt");
  expect(err).not.toContain("does not use it yet");
});

it("prints that of the default name before the configuration uses it, and says so", async () => {
  const directory = folder({ "c.yaml": least });
  const { code, out, err } = await cli(["ledger-table", "-c", join(directory, "c.yaml")]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ TableName: "partnerd-ledger" });
  expect(err).toContain("does not use it yet: write ledger: { store: dynamodb }");
});

it("answers a wrong configuration with its mistakes and 78", async () => {
  const directory = folder({ "c.yaml": `${least}ledger: { store: dynamodb, lease: 30 }\n` });
  const { code, out, err } = await cli(["ledger-table", "-c", join(directory, "c.yaml")]);
  expect({ code, out }).toEqual({ code: 78, out: "" });
  expect(err).toContain("ledger.lease");
});

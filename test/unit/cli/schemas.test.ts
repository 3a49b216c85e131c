// `partnerd schema`: every document that others write or read, by name.
import { expect, it } from "vitest";
import { documentSchemas } from "../../../src/cli/schemas.js";
import { cli } from "./io.js";

it.each(Object.entries(documentSchemas))("prints the schema of %s", async (name, schema) => {
  const { code, out, err } = await cli(["schema", name]);
  expect([code, err]).toEqual([0, ""]);
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(await schema())));
});

it("prints the configuration's unless told, and names what there is for any other", async () => {
  expect((await cli(["schema"])).out).toBe((await cli(["schema", "configuration"])).out);
  const { code, err } = await cli(["schema", "jobs"]);
  expect(code).toBe(64);
  for (const name of Object.keys(documentSchemas)) expect(err).toContain(name);
});

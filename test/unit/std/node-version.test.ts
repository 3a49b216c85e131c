// Which Node is too old, and what somebody who has it reads.
import { expect, it } from "vitest";
import { nodeTooOld } from "../../../src/std/node-version.js";

const at = { node: "/usr/bin/node", program: "/x/dist/main.js" };

it.each(["22.19.0", "22.22.1", "23.0.0", "24.21.0", "26.0.0-nightly20260101"])("takes %s", (version) => {
  expect(nodeTooOld(version, at)).toBeUndefined();
});

it.each(["22.18.0", "22.0.0", "21.7.3", "20.20.2", "18.0.0"])("does not take %s, and names the ways out", (version) => {
  const text = nodeTooOld(version, { ...at, givenNode: () => "/x/node_modules/node/bin/node" }) ?? "";
  expect(text).toContain(`/usr/bin/node is ${version}`);
  expect(text).toContain("/x/node_modules/node/bin/node /x/dist/main.js");
  expect(text).toContain("npm install node@24");
});

it("looks for the Node that is installed beside it only when that is of use", () => {
  const givenNode = () => {
    throw new Error("looked");
  };
  expect(nodeTooOld("24.0.0", { ...at, givenNode })).toBeUndefined();
});

it("knows the Node that is installed beside it", () => {
  expect(nodeTooOld("20.0.0", at)).toMatch(/\/node_modules\/node\/bin\/node \/x\/dist\/main\.js/);
});

// Packages that may be missing: told by their name, and told apart from what they themselves miss.
import { expect, it } from "vitest";
import { loadOptional, MissingPackage } from "../../../src/std/optional-package.js";

const missing = (name: string) =>
  Object.assign(new Error(`Cannot find package '${name}' imported from here`), { code: "ERR_MODULE_NOT_FOUND" });

it("gives what is loaded", async () => {
  expect(await loadOptional("a store", "@any/package", async () => 5)).toBe(5);
});

it("names a package that is not installed, and how to get it", async () => {
  const loading = loadOptional("the token source any", "@any/package", () => Promise.reject(missing("@any/package")));
  await expect(loading).rejects.toBeInstanceOf(MissingPackage);
  await expect(loading).rejects.toThrow(
    "the token source any needs the package @any/package: npm install @any/package",
  );
});

it.each([
  ["a package that it needs itself is missing", missing("@other/package")],
  ["it is broken", new SyntaxError("Unexpected token in '@any/package'")],
])("passes on what happens when %s", async (_, error) => {
  await expect(loadOptional("a store", "@any/package", () => Promise.reject(error))).rejects.toBe(error);
});

// Writes the configuration table into README.md, from the built schema. `npm run readme` after a change of the schema.
import { readFileSync, writeFileSync } from "node:fs";
import { configurationTable } from "../dist/config/table.js";

const file = new URL("../README.md", import.meta.url);
const [head, tail] = readFileSync(file, "utf8").split(
  /(?<=<!-- configuration table:[^>]*-->\n)[\s\S]*?(?=<!-- end of the)/,
);
if (tail === undefined) throw new Error("README.md has lost the marks around its configuration table");
writeFileSync(file, `${head}\n${configurationTable()}\n${tail}`);

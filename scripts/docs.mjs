// Writes the tables of docs/configuration.md and docs/metrics.md. `npm run docs` after a change
// of the schema or of a metric; it writes docs/log-events.md and docs/state-machine.md as well.
import { readFileSync, writeFileSync } from "node:fs";
import "./sources.mjs";

const { metricsTable } = await import("../src/admin/metrics-table.ts");
const { configurationTable } = await import("../src/config/settings-table.ts");

write("configuration", configurationTable());
write("metrics", await metricsTable());

/** Puts a table between the marks of its page. */
function write(name, table) {
  const file = new URL(`../docs/${name}.md`, import.meta.url);
  const [head, tail] = readFileSync(file, "utf8").split(/(?<=<!-- table:[^>]*-->\n)[\s\S]*?(?=<!-- end of the table)/);
  if (tail === undefined) throw new Error(`docs/${name}.md has lost the marks around its table`);
  writeFileSync(file, `${head}\n${table}\n${tail}`);
}

// `npm run log-events` after a change of src/std/log-events.ts: writes its table into docs/log-events.md.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { logEvents } from "../src/std/log-events.ts";

interface Entry {
  readonly levels: readonly string[];
  readonly fields: readonly string[];
  readonly means: string;
  readonly remedy?: string;
}

const page = new URL("../docs/log-events.md", import.meta.url);
const marks = /(?<=<!-- log events:[^>]*-->\n)[\s\S]*?(?=<!-- end of the log events -->)/;
const jobFields = ["jobId", "actionType", "region", "clientId"];

/** The page as it is and as it should be. */
export function logEventsPage(): { readonly is: string; readonly shouldBe: string } {
  const is = readFileSync(page, "utf8");
  if (!marks.test(is)) throw new Error("docs/log-events.md has lost the marks around its table");
  const entries = Object.entries<Entry>(logEvents).sort(([one], [other]) => (one < other ? -1 : 1));
  const rows = entries.map(([name, entry]) => {
    const cells = [`\`${name}\``, entry.levels.join(", "), fieldsOf(entry), entry.means, entry.remedy ?? "–"];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  const table = ["| event | level | fields | meaning | what to do |", "|---|---|---|---|---|", ...rows].join("\n");
  return { is, shouldBe: is.replace(marks, () => `\n${table}\n\n`) };
}

function fieldsOf({ fields }: Entry): string {
  const isAboutJob = jobFields.every((name) => fields.includes(name));
  const own = fields.filter((name) => name !== "*" && !(isAboutJob && jobFields.includes(name)));
  const shown = [
    ...(isAboutJob ? ["*job*"] : []),
    ...own.map((name) => `\`${name}\``),
    ...(fields.includes("*") ? ["any"] : []),
  ];
  return shown.join(", ") || "–";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { shouldBe } = logEventsPage();
  writeFileSync(page, shouldBe);
}

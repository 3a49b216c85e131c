// Checks everything that a configuration relies on, and says how to fix what is wrong. It changes
// nothing but what every start does (it opens the ledger). Part of the composition root: it knows the implementations.
import type { PartsOptions } from "../compose/parts-options.js";
import { codePipeline } from "./code-pipeline.js";
import { adminPort, handlers, tokens } from "./connection-checks.js";
import type { Finding } from "./finding.js";
import { ledger, workDir } from "./storage.js";
import { waysOut } from "./ways-out.js";

/** Looks at all of it, side by side; the findings are in a fixed order. Each look has a limit. */
export async function examine(options: PartsOptions): Promise<readonly Finding[]> {
  const looks = [waysOut, codePipeline, tokens, ledger, handlers, workDir, adminPort];
  return (await Promise.all(looks.map((look) => look(options)))).flat();
}

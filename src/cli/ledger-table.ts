// `partnerd ledger-table`: the definition of the table that a fleet's ledger needs, as JSON for the AWS CLI on stdout;
// what to do with it on stderr. It makes no call to AWS.
import { type LoadOptions, loadConfig } from "../config/load.js";
import type { Io } from "./io.js";

/** Prints the definition of the configured table. Throws ConfigError. */
export async function printLedgerTable(options: LoadOptions, io: Io): Promise<void> {
  const { config } = await loadConfig(options);
  const { ledger } = config;
  // Also for whoever has not switched over yet.
  const table = ledger.store === "dynamodb" ? ledger.table : "partnerd-ledger";
  const region = ledger.store === "dynamodb" && ledger.region !== undefined ? ` --region ${ledger.region}` : "";
  const { ledgerTable } = await import("../compose/daemon.js");
  const { definition, timeToLiveAttribute } = await ledgerTable(table);
  io.out(`${JSON.stringify(definition, null, 2)}\n`);
  io.err(`Create it, then let DynamoDB remove old rows by itself:
  aws dynamodb create-table${region} --cli-input-json file://TABLE.json
  aws dynamodb wait table-exists${region} --table-name ${table}
  aws dynamodb update-time-to-live${region} --table-name ${table} --time-to-live-specification Enabled=true,AttributeName=${timeToLiveAttribute}
partnerd needs dynamodb:GetItem, PutItem, DeleteItem, Query and Scan on the table and on its indexes (TABLE/index/*).
`);
  if (ledger.store !== "dynamodb")
    io.err("This configuration does not use it yet: write ledger: { store: dynamodb }\n");
}

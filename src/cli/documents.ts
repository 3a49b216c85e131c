// The commands that print a document made from the configuration, for other tools to read: data on stdout, nothing else.
import { type Command, InvalidArgumentError } from "commander";
import { describeMistake } from "../config/mistakes.js";
import { exitCodes } from "./exit-codes.js";
import { type ConfigFlags, loadOptions, withConfig } from "./flags.js";
import type { Io } from "./io.js";

/** Adds print-config, schema, iam-policy, action-type and ledger-table. */
export function addDocuments(root: Command, io: Io, result: { code: number }): void {
  withConfig(root.command("print-config"))
    .description("print the effective configuration, where each value came from, secrets masked")
    .action(async (flags: ConfigFlags) => {
      const [{ loadConfig }, { printConfig }] = await Promise.all([
        import("../config/load.js"),
        import("../config/print.js"),
      ]);
      const loaded = await loadConfig(loadOptions(flags, io));
      for (const warning of loaded.warnings) io.err(`warning: ${describeMistake(warning)}\n`);
      io.out(printConfig(loaded));
    });
  root
    .command("schema")
    .description("print the JSON Schema of configuration files, for editors")
    .action(async () => {
      const { configurationSchema } = await import("../config/json-schema.js");
      io.out(json(configurationSchema()));
    });
  withConfig(root.command("iam-policy"))
    .description("print the minimal IAM policy for this configuration")
    .option("--account <id>", "your AWS account id, for a narrower policy", accountFlag)
    .option("--doctor", "include what partnerd doctor needs", false)
    .action(async (flags: ConfigFlags & { account?: string; doctor: boolean }) => {
      const [{ loadConfig }, { iamPolicy }] = await Promise.all([
        import("../config/load.js"),
        import("./iam-policy.js"),
      ]);
      const { config } = await loadConfig(loadOptions(flags, io));
      io.out(json(iamPolicy(config, { accountId: flags.account, forDoctor: flags.doctor })));
    });
  withConfig(root.command("action-type <provider>"))
    .description("print the input of CreateCustomActionType or UpdateActionType for one configured action type")
    .option("--account <id>", "the AWS account that polls; needed for a third-party type", accountFlag)
    .option("--type-version <version>", "the version, if several of the provider are configured")
    .action(async (provider: string, flags: ConfigFlags & { account?: string; typeVersion?: string }) => {
      const [{ loadConfig }, { actionTypeInput }] = await Promise.all([
        import("../config/load.js"),
        import("./action-type.js"),
      ]);
      const { config } = await loadConfig(loadOptions(flags, io));
      const made = actionTypeInput(config, { provider, version: flags.typeVersion, accountId: flags.account });
      if ("mistake" in made) {
        io.err(`${made.mistake}\n`);
        result.code = exitCodes.usage;
        return;
      }
      io.out(json(made.input));
    });
  withConfig(root.command("ledger-table"))
    .description("print the definition of the DynamoDB ledger's table, for aws dynamodb create-table")
    .action(async (flags: ConfigFlags) => {
      const { printLedgerTable } = await import("./ledger-table.js");
      await printLedgerTable(loadOptions(flags, io), io);
    });
}

function json(document: unknown): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function accountFlag(value: string): string {
  if (!/^\d{12}$/.test(value)) throw new InvalidArgumentError("An AWS account id has 12 digits.");
  return value;
}

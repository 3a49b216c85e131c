// The commands that print a document made from the configuration, for other tools to read: data on stdout, nothing else.
import { resolve } from "node:path";
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { describeMistake } from "../config/mistakes.js";
import { type ActionTypeFormat, actionTypeFormats } from "./action-type-choices.js";
import { exitCodes } from "./exit-codes.js";
import { type ConfigFlags, loadOptions, withConfig } from "./flags.js";
import type { Io } from "./io.js";
import { documentSchemas } from "./schemas.js";

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
    .description(
      "print a JSON Schema: of configuration files, for editors, or of the documents that handlers receive and return",
    )
    .addArgument(new Argument("[document]").choices(Object.keys(documentSchemas)).default("configuration"))
    .action(async (document: string) => io.out(json(await documentSchemas[document]?.())));
  withConfig(root.command("iam-policy"))
    .description(
      "print the minimal IAM policy for this configuration; with accounts, one policy and trust policy for each",
    )
    .option("--account <id>", "your AWS account id, for a narrower policy", accountFlag)
    .option("--doctor", "include what partnerd doctor needs", false)
    .action(async (flags: ConfigFlags & { account?: string; doctor: boolean }) => {
      const [{ loadConfig }, { accountPolicies, iamPolicy, ownAccountUnknown }] = await Promise.all([
        import("../config/load.js"),
        import("./iam-policy.js"),
      ]);
      const { config } = await loadConfig(loadOptions(flags, io));
      const asked = { accountId: flags.account, forDoctor: flags.doctor };
      if (!config.accounts) return io.out(json(iamPolicy(config, asked)));
      const hasRoles = Object.values(config.accounts).some(({ roleArn }) => roleArn !== undefined);
      if (hasRoles && flags.account === undefined) {
        io.err(`--account names the account of partnerd's own identity, which the roles trust: ${ownAccountUnknown}\n`);
      }
      io.out(json(accountPolicies(config, asked)));
    });
  withConfig(root.command("action-type <provider>"))
    .description("print the input of CreateCustomActionType, or what a partner's type needs of UpdateActionType")
    .addOption(
      new Option("--format <format>", "how a custom type is declared").choices(actionTypeFormats).default("json"),
    )
    .option("--account <id>", "the AWS account that polls; needed for a third-party type", accountFlag)
    .option("--type-version <version>", "the version, if several of the provider are configured")
    .option(
      "--merge <file>",
      "GetActionType's answer; prints the whole input of UpdateActionType, changed where needed",
    )
    .action(async (provider: string, flags: ConfigFlags & ActionTypeFlags) => {
      result.code = await printActionType(provider, flags, io);
    });
  withConfig(root.command("ledger-table"))
    .description("print the definition of the ledger's DynamoDB table, for aws dynamodb create-table")
    .action(async (flags: ConfigFlags) => {
      const { printLedgerTable } = await import("./ledger-table.js");
      await printLedgerTable(loadOptions(flags, io), io);
    });
}

interface ActionTypeFlags {
  readonly format: ActionTypeFormat;
  readonly account?: string;
  readonly typeVersion?: string;
  readonly merge?: string;
}

async function printActionType(provider: string, flags: ConfigFlags & ActionTypeFlags, io: Io): Promise<number> {
  const [{ loadConfig }, { readTextFile }, { configFileMaxBytes }, { actionTypeInput }, { customActionTypeAs }] =
    await Promise.all([
      import("../config/load.js"),
      import("../std/text-file.js"),
      import("../config/file.js"),
      import("./action-type.js"),
      import("./action-type-formats.js"),
    ]);
  const mistaken = (mistake: string) => {
    io.err(`${mistake}\n`);
    return exitCodes.usage;
  };
  const { config } = await loadConfig(loadOptions(flags, io));
  const { account: accountId, typeVersion: version, format, merge } = flags;
  let current: unknown;
  if (merge !== undefined) {
    const text = await readTextFile(resolve(io.directory, merge), configFileMaxBytes);
    if (typeof text !== "string") return mistaken(`the file ${merge} of --merge ${text.problem}; ${text.remedy}`);
    current = parsed(text) ?? null;
  }
  const made = actionTypeInput(config, { provider, version, accountId, format, current });
  if ("mistake" in made) return mistaken(made.mistake);
  if ("custom" in made) {
    io.out(customActionTypeAs[format](made.custom));
    return exitCodes.ok;
  }
  io.out(json(made.partner));
  if (made.isPart) io.err(partOnly);
  return exitCodes.ok;
}

const partOnly =
  "This is no input yet: UpdateActionType replaces the whole type. Save what `aws codepipeline get-action-type` prints, " +
  "and run this again with --merge FILE; it keeps all else as it is, allowedAccounts and urls too.\n";

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Told as no answer of GetActionType's.
    return undefined;
  }
}

function json(document: unknown): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function accountFlag(value: string): string {
  if (!/^\d{12}$/.test(value)) throw new InvalidArgumentError("An AWS account id has 12 digits.");
  return value;
}

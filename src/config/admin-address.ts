// Where the admin port is, read without the rest of the configuration: a health check runs every few seconds, and the
// other keys would cost it more than all else that it does.
import { adminSchema } from "./admin-schema.js";
import { fromEnvironment, fromFlags } from "./environment.js";
import { readConfigFile } from "./file.js";
import { filesOf, type LoadOptions } from "./find-files.js";
import { Findings } from "./mistakes.js";
import { readSection } from "./reader.js";
import { specialKeys, withVariables } from "./setting.js";
import { Settings } from "./settings.js";
import { type Branch, laidOver } from "./tree.js";
import { valuesOf } from "./values.js";

/** As a client connects to it. */
export interface AdminAddress {
  readonly host: string;
  /** 0: it is off. */
  readonly port: number;
}

/**
 * Where the admin port is, whatever else may be wrong with the configuration: a probe asks a daemon that runs. Throws
 * ConfigError, with every mistake of all keys, where a file cannot be read or the address itself is wrong.
 */
export async function loadAdminAddress(options: LoadOptions): Promise<AdminAddress> {
  const address = await addressAlone(options);
  if (address) return address;
  const { loadConfig } = await import("./load.js");
  const { config } = await loadConfig(options);
  return { host: config.admin.host, port: config.admin.port };
}

/** Undefined where it is not known for certain. What is found out about other keys is not looked at. */
async function addressAlone(options: LoadOptions): Promise<AdminAddress | undefined> {
  const { directory, environment, overrides } = options;
  const schema = withVariables({ admin: adminSchema });
  const findings = new Findings();
  const written: Branch[] = [];
  for (const file of await filesOf(options, findings)) {
    const tree = await readConfigFile(file, directory, findings);
    // Without any file, the environment and the defaults say it.
    if (!tree) return undefined;
    written.push(adminAlone(tree));
  }
  const layers = [
    ...written,
    ...fromEnvironment(schema, environment, { directory, findings }),
    ...fromFlags(schema, overrides, { directory, findings }),
  ];
  const settings = new Settings(findings);
  await readSection(schema, laidOver(layers, specialKeys(schema)), "", { settings, directory });
  return settings.isSound("admin.host", "admin.port") ? valuesOf(schema.admin, "admin", settings) : undefined;
}

function adminAlone({ entries, place }: Branch): Branch {
  const admin = entries.get("admin");
  return { kind: "map", entries: new Map(admin ? [["admin", admin]] : []), place };
}

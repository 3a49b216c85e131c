// Opens the configured source of client tokens, loading only what it names; the one place that knows all of them.
import type { Config } from "../config/config.js";
import type { TokenStore } from "../tokens/token-store.js";
import type { ClientTokens } from "../tokens/tokens.js";
import type { PartsOptions } from "./parts-options.js";
import { proxiesOf } from "./proxies-of.js";

/** How often the client token file is checked; a client that is not in it has it checked at once. */
const tokenFileCheckMs = 2_000;

type TokensConfig = Config["clientTokens"];
type RemoteConfig = Exclude<TokensConfig, { readonly source: "static" | "file" }>;

/** Opens the configured token source. Throws TokenError. */
export async function tokensOf(options: PartsOptions): Promise<ClientTokens> {
  const { config, clock, log } = options;
  const { clientTokens } = config;
  switch (clientTokens.source) {
    case "static": {
      const { StaticClientTokens } = await import("../tokens/static.js");
      return new StaticClientTokens({ tokens: clientTokens.tokens });
    }
    case "file": {
      const [{ openFileTokens }, { tokenFileLine }] = await Promise.all([
        import("../tokens/token-file.js"),
        import("../tokens/file-lines.js"),
      ]);
      return openFileTokens({
        path: clientTokens.path,
        clock,
        checkIntervalMs: tokenFileCheckMs,
        onEvent: (event) => tokenFileLine(log, event),
      });
    }
    default:
      return cachedTokensOf(options, clientTokens);
  }
}

async function cachedTokensOf(options: PartsOptions, settings: RemoteConfig): Promise<ClientTokens> {
  const { clock, log, masker } = options;
  const releaseToken = masker.keep(settings.source === "http" && settings.token ? [settings.token.reveal()] : []);
  try {
    const [{ CachedTokens }, { tokenStoreLine }] = await Promise.all([
      import("../tokens/cached-tokens.js"),
      import("../tokens/store-lines.js"),
    ]);
    const store = await storeOf(options, settings);
    return new CachedTokens({
      store: { ...withName(store), close: () => store.close().finally(releaseToken) },
      ...settings.cache,
      clock,
      mask: (text) => masker.mask(text),
      onEvent: (event) => tokenStoreLine(log, store.name, event),
    });
  } catch (error) {
    releaseToken();
    throw error;
  }
}

function withName(store: TokenStore): Pick<TokenStore, "name" | "find"> {
  return { name: store.name, find: (clientId, signal) => store.find(clientId, signal) };
}

async function storeOf(options: PartsOptions, settings: RemoteConfig): Promise<TokenStore> {
  const { clock, environment, config } = options;
  const { appId, connectionTimeoutMs, requestTimeoutMs } = config.aws;
  const proxies = proxiesOf(options);
  const aws = { appId, proxies, connectionTimeoutMs, requestTimeoutMs };
  switch (settings.source) {
    case "http": {
      const { openHttpStore } = await import("../tokens/http-store.js");
      return openHttpStore({ url: settings.url, token: settings.token, proxies, connectionTimeoutMs });
    }
    case "command": {
      const { openCommandStore } = await import("../tokens/command-store.js");
      return openCommandStore({ command: settings.command, environment, clock });
    }
    case "module": {
      const { openModuleStore } = await import("../tokens/module-store.js");
      return openModuleStore({ path: settings.path, clock });
    }
    case "secrets-manager": {
      const { openSecretsManager } = await import("../tokens/secrets-manager.js");
      return openSecretsManager({ secretId: settings.secretId, region: settings.region, clock, ...aws });
    }
    case "dynamodb": {
      const { openTokenTable } = await import("../tokens/dynamodb.js");
      const { table, key, attribute, region } = settings;
      return openTokenTable({ table, key, attribute, region, ...aws });
    }
  }
}

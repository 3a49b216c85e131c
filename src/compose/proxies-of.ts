// The proxies that the environment names, their passwords kept out of everything that is written.
import { Proxies } from "../std/proxies.js";
import type { PartsOptions } from "./parts-options.js";

/** Throws ProxyError; a configuration that was loaded has none. */
export function proxiesOf({ environment, masker }: Pick<PartsOptions, "environment" | "masker">): Proxies {
  const proxies = Proxies.from(environment);
  // For as long as the process lives: an error may name them after its part was closed.
  masker.keep(proxies.secrets);
  return proxies;
}

// Whether what a configuration names can be built: handlers, the token source and the client of a fleet's ledger, made
// and closed again.

import { callbackLimits, handlersOf } from "../compose/build.js";
import { fleetToolsOf } from "../compose/ledgers.js";
import type { PartsOptions } from "../compose/parts-options.js";
import { tokensOf } from "../compose/token-sources.js";
import { Callbacks } from "../handlers/http/callbacks.js";
import { HandlersError } from "../handlers/registry.js";
import type { ClientId } from "../job/job.js";
import { LedgerError } from "../ledger/ledger.js";
import { TokenError } from "../tokens/tokens.js";

/** Builds every configured handler and closes it again; the lines that say what is wrong, none if all is well. */
export async function checkHandlers(options: PartsOptions): Promise<readonly string[]> {
  const callbacks = new Callbacks({ ...callbackLimits, baseUrl: () => undefined, clock: options.clock });
  try {
    const handlers = await handlersOf(options, callbacks, () => {});
    await handlers.close();
    return [];
  } catch (error) {
    if (error instanceof HandlersError) return error.mistakes;
    throw error;
  }
}

/** Opens the token source and closes it again; the line that says what is wrong with it, none if all is well. */
export async function checkTokens(options: PartsOptions): Promise<readonly string[]> {
  return mistakesOf(async () => {
    const tokens = await tokensOf(options);
    await tokens.close();
  });
}

/** Nobody's: every source that answers says that it does not know this client. */
const nobody = "00000000-0000-4000-8000-000000000000" as ClientId;
/** A look-up has a shorter limit of its own. */
const askLimitMs = 15_000;

/** The same, and asks the source for a client that does not exist. */
export async function askTokens(options: PartsOptions): Promise<readonly string[]> {
  return mistakesOf(async () => {
    const tokens = await tokensOf(options);
    try {
      await tokens.resolve(nobody, AbortSignal.timeout(askLimitMs));
    } catch (error) {
      if (!(error instanceof TokenError) || error.code !== "unknown-client") throw error;
    } finally {
      await tokens.close();
    }
  });
}

async function mistakesOf(work: () => Promise<void>): Promise<readonly string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    if (error instanceof TokenError) return [error.message];
    throw error;
  }
}

/** Loads what a fleet's ledger is reached with, and asks it nothing; the line that says what is missing, or none. */
export async function checkLedgerClient(options: PartsOptions): Promise<readonly string[]> {
  if (options.config.ledger.store !== "dynamodb") return [];
  try {
    const fleet = await fleetToolsOf(options);
    fleet.close();
    return [];
  } catch (error) {
    if (error instanceof LedgerError) return [error.message];
    throw error;
  }
}

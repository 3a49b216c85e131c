import { expect, it } from "vitest";
import { heeding } from "../../../../src/network/credentials/own-credentials.js";
import { RenewedCredentials } from "../../../../src/network/credentials/renewed-credentials.js";

type Call = () => Promise<unknown>;

/** A client whose one call fails by an error of this name, and how often credentials were searched for. */
function clientThatFails(name: string) {
  let searches = 0;
  const find = async () => ({ accessKeyId: `A${++searches}`, secretAccessKey: "s" });
  const credentials = new RenewedCredentials({ way: { by: "a test", remedy: "" }, limitMs: 1_000, make: () => find });
  const middlewares: ((next: Call) => Call)[] = [];
  const client = { middlewareStack: { add: (middleware: (next: Call) => Call) => void middlewares.push(middleware) } };
  heeding(client, credentials);
  const send = middlewares[0]?.(async () => {
    await credentials.provider();
    throw Object.assign(new Error(name), { name });
  });
  return { send: send ?? (async () => {}), searches: () => searches };
}

it.each([
  ["ExpiredTokenException", 2],
  ["UnrecognizedClientException", 2],
  ["InvalidSignatureException", 2],
  ["AccessDeniedException", 1],
  ["ResourceNotFoundException", 1],
])("has credentials looked for anew after %s as often as that helps", async (name, searches) => {
  const client = clientThatFails(name);
  for (let call = 0; call < 2; call++) await expect(client.send()).rejects.toThrow(name);
  expect(client.searches()).toBe(searches);
});

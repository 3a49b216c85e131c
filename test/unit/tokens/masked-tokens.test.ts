// Promise: what is kept to mask tokens in logs is bounded by what the source keeps, whoever comes and goes.
import { expect, it } from "vitest";
import type { ClientId, ClientToken } from "../../../src/job/job.js";
import { Secret } from "../../../src/job/secret.js";
import { MaskedTokens } from "../../../src/tokens/masked-tokens.js";
import type { ClientTokens } from "../../../src/tokens/tokens.js";

const { signal } = new AbortController();

function given(maxClients?: number) {
  const masked = new Set<string>();
  const source = (more: Partial<ClientTokens> = {}): ClientTokens => ({
    resolve: async (clientId) => new Secret(`token of ${clientId}` as ClientToken),
    forget: () => {},
    close: async () => {},
    ...(maxClients === undefined ? {} : { maxClients }),
    ...more,
  });
  const tokens = new MaskedTokens({
    source: source(),
    keepSecrets: (values) => {
      for (const value of values) masked.add(value);
      return () => {
        for (const value of values) masked.delete(value);
      };
    },
  });
  const ask = async (...clients: readonly string[]) => {
    for (const client of clients) await tokens.resolve(client as ClientId, signal);
  };
  return { tokens, masked, source, ask };
}

it("masks the tokens of as many clients as the source keeps, those that were asked for last", async () => {
  const { masked, ask } = given(2);
  await ask("a", "b", "a", "c");
  expect([...masked]).toEqual(["token of a", "token of c"]);
});

it("masks every token of a source that keeps them all", async () => {
  const { masked, ask } = given();
  await ask("a", "b", "a", "c");
  expect(masked.size).toBe(3);
});

it("hands no more over to the next source than that keeps", async () => {
  const { tokens, masked, source, ask } = given();
  await ask("a", "b", "c");
  const adopted: string[] = [];
  const adopt: ClientTokens["adopt"] = (known) => {
    for (const [clientId] of known) adopted.push(clientId);
  };
  await tokens.replace(source({ adopt, maxClients: 1 }));
  expect([adopted, [...masked]]).toEqual([["c"], ["token of c"]]);
});

// The effective configuration: complete, checked, frozen; what compose/ builds everything from. Its keys and their
// meaning are in schema.ts; a name that ends in Ms or Bytes is a number of them.
import type { schema } from "./schema.js";
import type { Values } from "./values.js";

/** All that the schema says, before it is checked. */
export type Draft = Values<typeof schema>;

/** Regions are in each action type; unknown ones are none by then. */
export interface Config
  extends Omit<Draft, "regions" | "allowUnknownRegions" | "actionTypes" | "handlers" | "ledger" | "retry"> {
  readonly actionTypes: readonly Omit<Draft["actionTypes"][number], "queryParam">[];
  readonly handlers: Readonly<Record<string, HandlerConfig>>;
  readonly ledger: LedgerConfig;
  readonly retry: RetryConfig;
}

/** One entry of `actionTypes`; `queryParams`: one poller each, absent: one for every job of the type. */
export type ActionTypeConfig = Config["actionTypes"][number];

/** `breaker` is absent only where no file was read: such a handler never counts as broken. */
export type HandlerConfig = WithoutBreaker<Draft["handlers"][string]>;
type WithoutBreaker<H> = H extends { readonly breaker: infer B }
  ? Omit<H, "breaker"> & { readonly breaker?: B }
  : never;

/** `history` is absent only where no file was read: such a ledger remembers no ended job for people. */
export type LedgerConfig = WithoutHistory<Draft["ledger"]>;
type WithoutHistory<L> = L extends { readonly history: infer H }
  ? Omit<L, "history"> & { readonly history?: H }
  : never;

/** One table for a whole fleet. */
export type DynamoLedgerConfig = Extract<LedgerConfig, { readonly store: "dynamodb" }>;

/** Full jitter: each wait is random between 0 and min(maxDelay, minDelay × factor^n). */
export type RetryPolicy = Draft["retry"]["details"];

/** A policy that the schema gives no end continues forever: `maxElapsedMs` is Infinity. */
export type RetryConfig = {
  readonly [K in keyof Draft["retry"]]: Draft["retry"][K] extends number ? number : RetryPolicy;
};

/** The configuration of a draft in which everything was found right. */
export function configOf({ regions: _, allowUnknownRegions: __, actionTypes, retry, ...rest }: Draft): Config {
  const policies = Object.entries(retry).map(([name, value]) => [
    name,
    typeof value === "number" ? value : { maxElapsedMs: Number.POSITIVE_INFINITY, ...value },
  ]);
  const types = actionTypes.map(({ queryParam, ...type }) => ({
    ...type,
    ...(queryParam ? { queryParams: [queryParam] } : {}),
  }));
  return frozen({ ...rest, actionTypes: types, retry: Object.fromEntries(policies) as RetryConfig });
}

/** Freezes plain objects and arrays, all the way down. */
function frozen<T>(value: T): T {
  // A Secret has no part that could be seen, let alone changed.
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

// The gateways of every place that is polled, an account in a Region: one SDK client and both flavours of the job API for
// each. A changed configuration keeps the clients that it still needs, with their connections and what they learned of
// the clock.
import { type ActionOwner, defaultAccount, type Place, placeFrom, placeName, placeText } from "../job/job.js";
import type { HttpClient } from "../network/http-client.js";
import type { Clock } from "../std/clock.js";
import type { ClientTokens } from "../tokens/tokens.js";
import type { AccountAccess } from "./account-credentials.js";
import { type ApiCall, RegionClient, type RegionClientOptions } from "./client.js";
import { CustomGateway } from "./custom.js";
import type { JobGateway } from "./gateway.js";
import { ThirdPartyGateway } from "./third-party.js";
import { awsConnections } from "./transport.js";

export interface GatewaysOptions {
  readonly aws: Omit<RegionClientOptions, "region" | "account" | "onCall"> & {
    /** Told of every call's end; must not throw. */
    readonly onCall?: (call: ApiCall & Place) => void;
  };
  readonly tokens: ClientTokens;
  readonly clock: Clock;
}

/** What the gateways are built for. */
export interface GatewaySettings {
  readonly places: readonly Place[];
  /** By name; one that is not there is reached by the SDK's default credential chain. */
  readonly accounts: Readonly<Record<string, AccountAccess>>;
  readonly clientCooldownMs: number;
}

interface PlaceParts {
  readonly access: string;
  readonly client: RegionClient;
  flavours: Readonly<Record<ActionOwner, JobGateway>>;
}

export class Gateways {
  readonly #options: GatewaysOptions;
  readonly #places = new Map<string, PlaceParts>();
  /** Of accounts that are reached in another way now. */
  readonly #replaced: RegionClient[] = [];
  /** Of all accounts: each call is signed for itself, and a thousand pollers seldom poll at the same moment. */
  readonly #http: HttpClient;
  #clientCooldownMs: number;

  constructor(options: GatewaysOptions, settings: GatewaySettings) {
    this.#options = options;
    this.#http = awsConnections(options.aws);
    this.#clientCooldownMs = settings.clientCooldownMs;
    this.apply(settings);
  }

  /** Every place that is, or was, configured. */
  get places(): readonly Place[] {
    return [...this.#places.keys()].map(placeFrom);
  }

  /** The gateway of a place that is, or was, configured. Throws for any other: a bug. */
  get(place: Place, owner: ActionOwner): JobGateway {
    const gateway = this.#places.get(placeName(place))?.flavours[owner];
    if (!gateway) throw new Error(`bug: no gateway for ${owner} jobs of ${placeText(place)}`);
    return gateway;
  }

  /** The client of a place that is, or was, configured. Throws for any other: a bug. */
  client(place: Place): RegionClient {
    const client = this.#places.get(placeName(place))?.client;
    if (!client) throw new Error(`bug: no client for ${placeText(place)}`);
    return client;
  }

  /** Goes over to other settings. Places that are no longer polled stay: their jobs still have results to put. */
  apply(settings: GatewaySettings): void {
    const isNewCooldown = settings.clientCooldownMs !== this.#clientCooldownMs;
    this.#clientCooldownMs = settings.clientCooldownMs;
    for (const place of settings.places) {
      const account = settings.accounts[place.account ?? defaultAccount] ?? {};
      const access = JSON.stringify(account);
      const before = this.#places.get(placeName(place));
      // Calls that are under way end as they began.
      if (before && before.access !== access) this.#replaced.push(before.client);
      const known = before?.access === access ? before : undefined;
      const client = known?.client ?? this.#client(place, account);
      const { tokens, clock } = this.#options;
      const { clientCooldownMs } = settings;
      const flavours = {
        // It remembers whose token was refused, so it is kept while it can be.
        ThirdParty:
          known && !isNewCooldown
            ? known.flavours.ThirdParty
            : new ThirdPartyGateway({ place, client, tokens, clock, clientCooldownMs }),
        Custom: known?.flavours.Custom ?? new CustomGateway({ place, client }),
      };
      this.#places.set(placeName(place), { access, client, flavours });
    }
  }

  close(): void {
    const clients = [...this.#replaced, ...[...this.#places.values()].map(({ client }) => client)];
    for (const client of clients) client.close();
    this.#http.close();
  }

  #client(place: Place, account: AccountAccess): RegionClient {
    const { onCall, ...aws } = this.#options.aws;
    const told = onCall ? { onCall: (call: ApiCall) => onCall({ ...call, ...place }) } : {};
    return new RegionClient({ ...aws, ...told, account, region: place.region, http: this.#http });
  }
}

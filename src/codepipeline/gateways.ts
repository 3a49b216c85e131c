// The gateways of every Region that is polled: one SDK client and both flavours of the job API for each. A changed
// configuration keeps the clients that it still needs, with their connections and what they learned of the clock.
import type { ActionOwner, Region } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import type { ClientTokens } from "../tokens/tokens.js";
import { RegionClient, type RegionClientOptions } from "./client.js";
import { CustomGateway } from "./custom.js";
import type { JobGateway } from "./gateway.js";
import { ThirdPartyGateway } from "./third-party.js";

export interface GatewaysOptions {
  readonly aws: Omit<RegionClientOptions, "region">;
  readonly tokens: ClientTokens;
  readonly clock: Clock;
}

/** What the gateways are built for. */
export interface GatewaySettings {
  readonly regions: ReadonlySet<Region>;
  readonly clientCooldownMs: number;
}

interface RegionParts {
  readonly client: RegionClient;
  flavours: Readonly<Record<ActionOwner, JobGateway>>;
}

export class Gateways {
  readonly #options: GatewaysOptions;
  readonly #regions = new Map<Region, RegionParts>();
  #clientCooldownMs: number;

  constructor(options: GatewaysOptions, settings: GatewaySettings) {
    this.#options = options;
    this.#clientCooldownMs = settings.clientCooldownMs;
    this.apply(settings);
  }

  /** The gateway of a Region that is, or was, configured. Throws for any other: a bug. */
  get(region: Region, owner: ActionOwner): JobGateway {
    const gateway = this.#regions.get(region)?.flavours[owner];
    if (!gateway) throw new Error(`bug: no gateway for ${owner} jobs of ${region}`);
    return gateway;
  }

  /** The client of a Region that is, or was, configured. Throws for any other: a bug. */
  client(region: Region): RegionClient {
    const client = this.#regions.get(region)?.client;
    if (!client) throw new Error(`bug: no client for ${region}`);
    return client;
  }

  /** Goes over to other settings. Regions that are no longer polled stay: their jobs still have results to put. */
  apply(settings: GatewaySettings): void {
    const isNewCooldown = settings.clientCooldownMs !== this.#clientCooldownMs;
    this.#clientCooldownMs = settings.clientCooldownMs;
    for (const region of settings.regions) {
      const known = this.#regions.get(region);
      const client = known?.client ?? new RegionClient({ ...this.#options.aws, region });
      const { tokens, clock } = this.#options;
      const { clientCooldownMs } = settings;
      const flavours = {
        // It remembers whose token was refused, so it is kept while it can be.
        ThirdParty:
          known && !isNewCooldown
            ? known.flavours.ThirdParty
            : new ThirdPartyGateway({ region, client, tokens, clock, clientCooldownMs }),
        Custom: known?.flavours.Custom ?? new CustomGateway({ region, client }),
      };
      this.#regions.set(region, { client, flavours });
    }
  }

  close(): void {
    for (const { client } of this.#regions.values()) client.close();
  }
}

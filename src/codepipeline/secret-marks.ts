// Which properties CodePipeline's own action types mark as secret. Asked once for each type and place, where that is
// permitted; a fault that passes is asked about again later. Nothing here ends a job or holds one up for long.

import {
  type ActionType as CustomActionType,
  GetActionTypeCommand,
  type GetActionTypeOutput,
  ListActionTypesCommand,
  type ListActionTypesOutput,
} from "@aws-sdk/client-codepipeline";
import { type ActionType, actionTypeName, type Place, placeName, typeKey } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import type { RegionClient } from "./client.js";
import { type GatewayError, isPassing } from "./gateway.js";
import { faultFrom } from "./gateway-faults.js";
import { type Asked, asked } from "./pattern-calls.js";

/** A Region may have 50 custom action types of ours and some of others; a listing that never ends is given up. */
const pagesMax = 20;
const againMs = 60_000;
/** The policy does not allow it; any other denial is about credentials, which may be renewed. */
const forbidden = ["AccessDeniedException", "AccessDenied", "NotAuthorized"];

type Client = Pick<RegionClient, "send">;

/** An action type in one place. */
export interface MarkedType extends Place {
  readonly actionType: ActionType;
}

export interface SecretMarksOptions {
  readonly client: (place: Place) => Client;
  readonly clock: Clock;
  /** Told of a place whose marks stay unknown; must not throw. */
  readonly onUnknown: (place: Place, fault: GatewayError) => void;
}

export class SecretMarks {
  readonly #options: SecretMarksOptions;
  readonly #over = new AbortController();
  /** By place and action type; what was asked for stays known, also of types that a reload takes out. */
  readonly #marks = new Map<string, ReadonlySet<string>>();
  readonly #asked = new Set<string>();
  readonly #told = new Set<string>();

  constructor(options: SecretMarksOptions) {
    this.#options = options;
  }

  /** True for a property that the job's action type marks as secret, as far as that is known. */
  has(type: MarkedType, property: string): boolean {
    return this.#marks.get(typeKey(type))?.has(property) ?? false;
  }

  /** Asks about those types that were not asked about before. Resolves with the first answers, good or bad. */
  async ask(types: readonly MarkedType[]): Promise<void> {
    const unknown = types.filter((type) => !this.#asked.has(typeKey(type)));
    for (const type of unknown) this.#asked.add(typeKey(type));
    const places = Map.groupBy(unknown, placeName);
    await Promise.all(
      [...places.values()].flatMap((here) => {
        const [custom, others] = [true, false].map((isCustom) =>
          here.filter(({ actionType }) => (actionType.owner === "Custom") === isCustom),
        );
        const lists = custom?.[0] ? [this.#list(custom[0], custom)] : [];
        return [...lists, ...(others ?? []).map((type) => this.#get(type))];
      }),
    );
  }

  /** Ends what is still asked. */
  close(): void {
    this.#over.abort();
  }

  async #asking(place: Place, operation: string, ask: (client: Client) => Promise<void>): Promise<void> {
    try {
      await ask(this.#options.client(place));
    } catch (error) {
      const fault = faultFrom(error, operation);
      if (this.#over.signal.aborted) return;
      // A type that is not there is told of by its polls.
      if (fault.kind === "misconfigured") return;
      if (forbidden.includes(fault.code) || !isPassing(fault.kind)) return this.#tell(place, fault);
      void this.#again(() => this.#asking(place, operation, ask));
    }
  }

  async #again(act: () => Promise<void>): Promise<void> {
    await this.#options.clock.sleep(againMs, this.#over.signal);
    if (!this.#over.signal.aborted) await act();
  }

  /** Once for each place and operation. */
  #tell(place: Place, fault: GatewayError): void {
    const what = `${placeName(place)} ${fault.operation}`;
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#options.onUnknown(place, fault);
  }

  #get(type: MarkedType): Promise<void> {
    return this.#asking(type, "GetActionType", async (client) => {
      const { actionType } = await client.send<GetActionTypeOutput>(getActionType(type.actionType), this.#over.signal);
      this.#marks.set(typeKey(type), new Set(noEchoOf(actionType)));
    });
  }

  #list(place: Place, types: readonly MarkedType[]): Promise<void> {
    return this.#asking(place, "ListActionTypes", async (client) => {
      const found = await customTypes(client, this.#over.signal);
      for (const type of types) {
        const wanted = actionTypeName(type.actionType);
        this.#marks.set(typeKey(type), new Set(secretOf(found.find(({ id }) => customName(id) === wanted))));
      }
    });
  }
}

export function getActionType({ category, owner, provider, version }: ActionType): Asked {
  return asked(GetActionTypeCommand, { category, owner: owner as "ThirdParty", provider, version });
}

/** All custom action types of the Region (ListActionTypes). Rejects with what the client throws. */
export async function customTypes(client: Client, signal: AbortSignal): Promise<readonly CustomActionType[]> {
  const found: CustomActionType[] = [];
  let nextToken: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const command = asked(ListActionTypesCommand, { actionOwnerFilter: "Custom", ...(nextToken ? { nextToken } : {}) });
    const answer = await client.send<ListActionTypesOutput>(command, signal);
    found.push(...(Array.isArray(answer.actionTypes) ? answer.actionTypes : []));
    nextToken = answer.nextToken;
    if (!nextToken) break;
  }
  return found;
}

/** As actionTypeName writes it. */
export function customName(id: CustomActionType["id"]): string {
  return `${id?.owner}/${id?.category}/${id?.provider}/${id?.version}`;
}

/** The secret properties of a custom type. */
export function secretOf(type: CustomActionType | undefined): readonly string[] {
  const properties = type?.actionConfigurationProperties;
  return (Array.isArray(properties) ? properties : []).flatMap(({ name, secret }) => (secret && name ? [name] : []));
}

/** The secret properties of a partner's type. */
export function noEchoOf(type: GetActionTypeOutput["actionType"]): readonly string[] {
  const properties = type?.properties;
  return (Array.isArray(properties) ? properties : []).flatMap(({ name, noEcho }) => (noEcho && name ? [name] : []));
}

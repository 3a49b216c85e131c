// Goes and looks whether CodePipeline, as one Region sees us, is as a configuration takes it to be: can it be reached,
// does it accept us, do our clocks agree, is each action type there and made for a job worker. Changes nothing there.
import type { ActionType as CustomActionType, GetActionTypeOutput } from "@aws-sdk/client-codepipeline";
import { type ActionType, actionTypeName, type Region } from "../job/job.js";
import { RegionClient, type RegionClientOptions } from "./client.js";
import type { GatewayError } from "./gateway.js";
import { faultFrom } from "./gateway-faults.js";
import { deniedOperations } from "./permissions.js";
import { customName, customTypes, getActionType, noEchoOf, secretOf } from "./secret-marks.js";

/** What a configuration says of one action type. */
export interface ExpectedActionType {
  readonly actionType: ActionType;
  readonly jobTimeoutMs: number;
  readonly secretProperties: readonly string[];
  readonly notSecretProperties?: readonly string[];
  /** The properties that polls ask for a value of; none where it polls for every job. */
  readonly queried: readonly string[];
}

export interface InspectionOptions {
  readonly client: Omit<RegionClientOptions, "onServerTime" | "onCall">;
  readonly expected: readonly ExpectedActionType[];
  /** This machine's clock, ms since the epoch. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** What was seen in one Region. */
export interface RegionInspection {
  readonly region: Region;
  readonly credentials: { readonly accessKeyId: string; readonly expiresAtMs?: number } | GatewayError;
  /** How much this machine's clock is ahead, ms; undefined when nothing answered. */
  readonly clockAheadMs: number | undefined;
  readonly actionTypes: readonly { readonly actionType: ActionType; readonly seen: Seen }[];
  /** Job operations that CodePipeline denies us, of the owners that are expected. */
  readonly denied: readonly GatewayError[];
}

/** What came of asking for one action type. */
export type Seen =
  | { readonly kind: "failed"; readonly fault: GatewayError }
  | { readonly kind: "missing" }
  | { readonly kind: "found"; readonly problems: readonly InspectionProblem[] };

export interface InspectionProblem {
  /** Jobs cannot be worked as it is. */
  readonly isFatal: boolean;
  readonly message: string;
  readonly remedy: string;
}

/** Asks one Region. Every wait has the client's limits. Rejects only for a bug. */
export async function inspectRegion(options: InspectionOptions): Promise<RegionInspection> {
  let clockAheadMs: number | undefined;
  const onServerTime = (serverMs: number) => {
    // The header counts whole seconds.
    const aheadMs = options.now() - serverMs;
    clockAheadMs = Math.abs(aheadMs) < 2_000 ? 0 : aheadMs;
  };
  const client = new RegionClient({ ...options.client, onServerTime });
  try {
    const credentials = await client.identity().catch((error: unknown) => faultFrom(error, "credentials"));
    const custom = options.expected.some(({ actionType }) => actionType.owner === "Custom")
      ? await listedTypes(client, options.signal)
      : [];
    const actionTypes = await Promise.all(
      options.expected.map(async (expected) => ({
        actionType: expected.actionType,
        seen:
          expected.actionType.owner === "Custom"
            ? seenCustom(custom, expected)
            : await seenThirdParty(client, expected, options.signal),
      })),
    );
    const owners = [...new Set(options.expected.map(({ actionType }) => actionType.owner))];
    // Without credentials, or without any answer, nothing is learned.
    const isAsked = !("kind" in credentials) && clockAheadMs !== undefined;
    const denied = isAsked
      ? (await Promise.all(owners.map((owner) => deniedOperations(client, owner, options.signal)))).flat()
      : [];
    return { region: options.client.region, credentials, clockAheadMs, actionTypes, denied };
  } finally {
    client.close();
  }
}

/** All custom action types of the Region, or why they cannot be listed. */
function listedTypes(client: RegionClient, signal: AbortSignal): Promise<readonly CustomActionType[] | GatewayError> {
  return customTypes(client, signal).catch((error: unknown) => faultFrom(error, "ListActionTypes"));
}

function seenCustom(types: readonly CustomActionType[] | GatewayError, expected: ExpectedActionType): Seen {
  if (!Array.isArray(types)) return { kind: "failed", fault: types as GatewayError };
  const wanted = actionTypeName(expected.actionType);
  const found = (types as readonly CustomActionType[]).find(({ id }) => customName(id) === wanted);
  if (!found) return { kind: "missing" };
  const properties = Array.isArray(found.actionConfigurationProperties) ? found.actionConfigurationProperties : [];
  const queryable = properties.find((property) => property.queryable)?.name;
  return {
    kind: "found",
    problems: [...secretProblems(secretOf(found), expected), ...queryProblems(queryable, expected)],
  };
}

async function seenThirdParty(client: RegionClient, expected: ExpectedActionType, signal: AbortSignal): Promise<Seen> {
  try {
    const { actionType } = await client.send<GetActionTypeOutput>(getActionType(expected.actionType), signal);
    return {
      kind: "found",
      problems: [
        ...secretProblems(noEchoOf(actionType), expected),
        ...executorProblems(actionType?.executor, expected),
      ],
    };
  } catch (error) {
    const fault = faultFrom(error, "GetActionType");
    return fault.kind === "misconfigured" ? { kind: "missing" } : { kind: "failed", fault };
  }
}

/** What the type marks is masked without a word here; what the configuration says otherwise is worth one. */
function secretProblems(
  secret: readonly string[],
  { secretProperties, notSecretProperties = [] }: ExpectedActionType,
): readonly InspectionProblem[] {
  const shown = secret.filter((name) => notSecretProperties.includes(name));
  const gone = secretProperties.filter((name) => !secret.includes(name));
  return [
    ...shown.map((name) => ({
      isFatal: false,
      message: `its property ${name} is secret, and notSecretProperties lets its values be shown`,
      remedy: `remove ${name} from notSecretProperties`,
    })),
    ...gone.map((name) => ({
      isFatal: false,
      message: `secretProperties names ${name}, which is no secret property of it`,
      remedy: "correct the name, or remove it",
    })),
  ];
}

/** PollForJobs must name the queryable property if there is one, and must not if there is none. */
function queryProblems(
  queryable: string | undefined,
  { queried: [given] }: ExpectedActionType,
): readonly InspectionProblem[] {
  if (given === queryable) return [];
  if (queryable === undefined) {
    return [
      { isFatal: true, message: `it has no queryable property ${given}`, remedy: "remove queryParam and queryParams" },
    ];
  }
  const message = `its queryable property is ${queryable}, and only jobs with a given value of it are offered`;
  return [{ isFatal: true, message, remedy: `write queryParams: [{ ${queryable}: VALUE }]` }];
}

function executorProblems(
  executor: { readonly type?: string | undefined; readonly jobTimeout?: number | undefined } | undefined,
  expected: ExpectedActionType,
): readonly InspectionProblem[] {
  const problems: InspectionProblem[] = [];
  if (executor?.type !== undefined && executor.type !== "JobWorker") {
    const message = `its jobs go to a ${executor.type} function, so a worker is never offered any`;
    problems.push({ isFatal: true, message, remedy: "have its executor changed to JobWorker (UpdateActionType)" });
  }
  const theirsMs = (executor?.jobTimeout ?? Number.POSITIVE_INFINITY) * 1_000;
  if (theirsMs <= expected.jobTimeoutMs) {
    const message = `CodePipeline ends its jobs after ${theirsMs / 1_000} s, jobTimeout only after ${expected.jobTimeoutMs / 1_000} s`;
    problems.push({ isFatal: false, message, remedy: "make jobTimeout shorter, so that jobs fail with their reason" });
  }
  return problems;
}

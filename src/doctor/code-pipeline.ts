// How CodePipeline sees us: credentials, reach and clock in each Region, and each action type there.
import type { GatewayError } from "../codepipeline/gateway.js";
import type { ExpectedActionType, RegionInspection } from "../codepipeline/inspection.js";
import type { PartsOptions } from "../compose/parts-options.js";
import type { ActionTypeConfig } from "../config/config.js";
import { actionTypeName, type Region } from "../job/job.js";
import { credentialFileTroubles } from "./credential-files.js";
import type { Finding } from "./finding.js";

const lookLimitMs = 20_000;
/** Signatures older or younger than this are refused by AWS. */
const skewMaxMs = 300_000;
const skewWarnMs = 30_000;

/** One finding for the credentials, and for each Region its reach, its clock and its action types. */
export async function codePipeline({ config, environment, masker }: PartsOptions): Promise<readonly Finding[]> {
  const { inspectRegion } = await import("../codepipeline/inspection.js");
  const regions = [...new Set(config.actionTypes.flatMap((type) => type.regions))];
  const inspections = await Promise.all(
    regions.map((region) =>
      inspectRegion({
        client: { region, endpoint: undefined, ...config.aws, mask: (text) => masker.mask(text) },
        expected: config.actionTypes.filter((type) => type.regions.includes(region)).map((type) => expectedOf(type)),
        now: Date.now,
        signal: AbortSignal.timeout(lookLimitMs),
      }),
    ),
  );
  const [first] = inspections;
  if (!first) return [];
  const credentials = credentialsFinding(first, await credentialFileTroubles(environment));
  // Without credentials nothing can be asked, and every further line would only repeat it.
  return credentials.verdict === "failed" ? [credentials] : [credentials, ...inspections.flatMap(regionFindings)];
}

function expectedOf(type: ActionTypeConfig): ExpectedActionType {
  const { category, owner, provider, version, jobTimeoutMs, secretProperties, notSecretProperties } = type;
  return {
    actionType: { category, owner, provider, version },
    jobTimeoutMs,
    secretProperties,
    ...(notSecretProperties ? { notSecretProperties } : {}),
    queried: [...new Set((type.queryParams ?? []).flatMap(Object.keys))],
  };
}

function credentialsFinding({ credentials }: RegionInspection, troubles: readonly string[]): Finding {
  const subject = "credentials";
  if ("kind" in credentials) {
    const remedy =
      troubles.length > 0
        ? `fix what the SDK ignores silently: ${troubles.join("; ")}`
        : "give the process a role (task, instance, web identity) or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    return {
      subject,
      verdict: "failed",
      message: `no credentials found, so CodePipeline was not called: ${credentials.message}`,
      remedy,
    };
  }
  const { accessKeyId, expiresAtMs } = credentials;
  const until = expiresAtMs === undefined ? "" : `, renewed before ${new Date(expiresAtMs).toISOString()}`;
  return { subject, verdict: "ok", message: `found, access key …${accessKeyId.slice(-4)}${until}` };
}

function regionFindings({ region, clockAheadMs, actionTypes, denied }: RegionInspection): readonly Finding[] {
  const types = actionTypes.flatMap(({ actionType, seen }): readonly Finding[] => {
    const subject = `${actionTypeName(actionType)} in ${region}`;
    switch (seen.kind) {
      case "failed":
        return [{ subject, verdict: isForbidden(seen.fault) ? "warning" : "failed", ...explained(seen.fault, region) }];
      case "missing": {
        const remedy =
          actionType.owner === "Custom"
            ? `create it: partnerd action-type ${actionType.provider} prints the input of aws codepipeline create-custom-action-type`
            : "check category, provider, version and Region; AWS's CodePipeline team registers partners' types";
        return [{ subject, verdict: "failed", message: "CodePipeline knows no such action type here", remedy }];
      }
      case "found": {
        if (seen.problems.length === 0) return [{ subject, verdict: "ok", message: "there, as configured" }];
        return seen.problems.map(({ isFatal, message, remedy }) => ({
          subject,
          verdict: isFatal ? "failed" : "warning",
          message,
          remedy,
        }));
      }
      default:
        return [seen satisfies never];
    }
  });
  return [clockFinding(region, clockAheadMs), ...types, ...permissionFindings(region, clockAheadMs, denied)];
}

/** Nothing when nothing answers: that is said already. */
function permissionFindings(
  region: Region,
  clockAheadMs: number | undefined,
  denied: readonly GatewayError[],
): readonly Finding[] {
  const subject = `job operations in ${region}`;
  const [first] = denied;
  if (clockAheadMs === undefined) return [];
  if (!first) return [{ subject, verdict: "ok", message: "allowed" }];
  const names = denied.map(({ operation }) => operation).join(", ");
  const remedy = isForbidden(first)
    ? "allow them: partnerd iam-policy prints the policy"
    : "check the credentials, and that they are meant for this partition and Region";
  return [{ subject, verdict: "failed", message: `CodePipeline denies ${names}: ${first.message}`, remedy }];
}

function clockFinding(region: Region, aheadMs: number | undefined): Finding {
  const subject = `CodePipeline in ${region}`;
  if (aheadMs === undefined) {
    const remedy = `check DNS, proxy and routes; without internet access, an interface endpoint com.amazonaws.${region}.codepipeline`;
    return { subject, verdict: "failed", message: "nothing answers", remedy };
  }
  if (aheadMs === 0) return { subject, verdict: "ok", message: "answers, and the clocks agree" };
  const off = `${Math.abs(Math.round(aheadMs / 1_000))} s ${aheadMs > 0 ? "ahead of" : "behind"}`;
  const message = `answers, but this machine's clock is ${off} AWS's`;
  const remedy = "set the clock (chrony, systemd-timesyncd): AWS refuses signatures that are 5 min off";
  if (Math.abs(aheadMs) >= skewMaxMs) return { subject, verdict: "failed", message, remedy };
  return Math.abs(aheadMs) >= skewWarnMs
    ? { subject, verdict: "warning", message, remedy }
    : { subject, verdict: "ok", message };
}

/** By the policy. Looking up action types is more than the daemon itself needs. */
function isForbidden({ code }: GatewayError): boolean {
  return code === "AccessDeniedException" || code === "AccessDenied";
}

function explained(fault: GatewayError, region: Region): { readonly message: string; readonly remedy: string } {
  const { message } = fault;
  if (isForbidden(fault)) {
    return { message, remedy: "only doctor makes this call: allow it (partnerd iam-policy --doctor), or ignore this" };
  }
  switch (fault.kind) {
    case "denied":
      return { message, remedy: "check the credentials, and that they are meant for this partition and Region" };
    case "throttled":
      return { message, remedy: "throttled: try again in a minute" };
    case "misconfigured":
      return { message, remedy: "check aws.endpoint, and any FIPS or dual-stack variables" };
    default:
      return {
        message,
        remedy: `check the network path to CodePipeline in ${region}: DNS, proxy, routes, aws.endpoint`,
      };
  }
}

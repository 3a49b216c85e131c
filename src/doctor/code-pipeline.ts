// How CodePipeline sees us: credentials, reach and clock in each Region, and each action type there.
import type { AccountAccess } from "../codepipeline/account-credentials.js";
import type { GatewayError } from "../codepipeline/gateway.js";
import type { ExpectedActionType, RegionInspection } from "../codepipeline/inspection.js";
import { accountsOf } from "../compose/build.js";
import type { PartsOptions } from "../compose/parts-options.js";
import { proxiesOf } from "../compose/proxies-of.js";
import type { ActionTypeConfig } from "../config/config.js";
import { actionTypeName, placeOf, placeText, type Region } from "../job/job.js";
import { credentialFileTroubles } from "./credential-files.js";
import type { Finding } from "./finding.js";
import { remedyOf } from "./ways-out.js";

const lookLimitMs = 20_000;
/** Signatures older or younger than this are refused by AWS. */
const skewMaxMs = 300_000;
const skewWarnMs = 30_000;

/** For each account one finding for its credentials, and for each of its Regions reach, clock and action types. */
export async function codePipeline(options: PartsOptions): Promise<readonly Finding[]> {
  const { config } = options;
  const names = [...new Set(config.actionTypes.flatMap((type) => accountsOf(type, config)))];
  const troubles = await credentialFileTroubles(options.environment);
  return (await Promise.all(names.map((name) => accountFindings(name, options, troubles)))).flat();
}

async function accountFindings(
  name: string,
  options: PartsOptions,
  troubles: readonly string[],
): Promise<readonly Finding[]> {
  const { config, masker } = options;
  const proxies = proxiesOf(options);
  const { inspectRegion } = await import("../codepipeline/inspection.js");
  const types = config.actionTypes.filter((type) => accountsOf(type, config).includes(name));
  const regions = [...new Set(types.flatMap((type) => type.regions))];
  const account = config.accounts?.[name] ?? {};
  const inspections = await Promise.all(
    regions.map((region) =>
      inspectRegion({
        client: { region, endpoint: undefined, ...config.aws, account, proxies, mask: (text) => masker.mask(text) },
        expected: types.filter((type) => type.regions.includes(region)).map((type) => expectedOf(type)),
        now: Date.now,
        signal: AbortSignal.timeout(lookLimitMs),
      }),
    ),
  );
  const [first] = inspections;
  if (!first) return [];
  const subject = config.accounts ? `credentials of the account ${name}` : "credentials";
  const credentials = credentialsFinding(subject, first, account, troubles);
  // Without credentials nothing can be asked, and every further line would only repeat it.
  if (credentials.verdict === "failed") return [credentials];
  const where = (region: Region) => placeText(placeOf({ account: name, region }));
  return [credentials, ...inspections.flatMap((one) => regionFindings(one, where(one.region)))];
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

function credentialsFinding(
  subject: string,
  { credentials }: RegionInspection,
  account: AccountAccess,
  troubles: readonly string[],
): Finding {
  if ("kind" in credentials) {
    const remedy =
      troubles.length > 0
        ? `fix these files, which the SDK ignores silently: ${troubles.join("; ")}`
        : remedyFor(account);
    return {
      subject,
      verdict: "failed",
      message: `no credentials found, so CodePipeline was not called: ${credentials.message}`,
      remedy,
    };
  }
  const { accessKeyId, expiresAtMs } = credentials;
  const until = expiresAtMs === undefined ? "" : `, renewed before ${new Date(expiresAtMs).toISOString()}`;
  const { roleArn, profile } = account;
  const how = roleArn !== undefined ? `assumed ${roleArn}` : profile !== undefined ? `profile ${profile}` : "found";
  return { subject, verdict: "ok", message: `${how}, access key …${accessKeyId.slice(-4)}${until}` };
}

/** What to do where an account's credentials cannot be had. */
function remedyFor({ roleArn, profile }: AccountAccess): string {
  if (roleArn !== undefined) {
    return `let ${roleArn} trust partnerd's own identity, with this external id: partnerd iam-policy prints both sides`;
  }
  if (profile !== undefined) return `check the profile ${profile} in the AWS configuration files`;
  return "give the process a role (task, instance, web identity) or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
}

function regionFindings(inspection: RegionInspection, where: string): readonly Finding[] {
  const { region, clockAheadMs, actionTypes, denied } = inspection;
  const types = actionTypes.flatMap(({ actionType, seen }): readonly Finding[] => {
    const subject = `${actionTypeName(actionType)} in ${where}`;
    switch (seen.kind) {
      case "failed":
        return [{ subject, verdict: isForbidden(seen.fault) ? "warning" : "failed", ...explained(seen.fault, region) }];
      case "missing": {
        const remedy =
          actionType.owner === "Custom"
            ? `create it: partnerd action-type ${actionType.provider} prints the input of aws codepipeline create-custom-action-type`
            : "check category, provider, version and Region; AWS's CodePipeline team registers partners' types";
        return [{ subject, verdict: "failed", message: "CodePipeline has no such action type here", remedy }];
      }
      case "found": {
        if (seen.problems.length === 0) return [{ subject, verdict: "ok", message: "exists, as configured" }];
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
  return [clockFinding(inspection, where), ...types, ...permissionFindings(where, clockAheadMs, denied)];
}

/** Nothing when nothing answers: that is said already. */
function permissionFindings(
  where: string,
  clockAheadMs: number | undefined,
  denied: readonly GatewayError[],
): readonly Finding[] {
  const subject = `job operations in ${where}`;
  const [first] = denied;
  if (clockAheadMs === undefined) return [];
  if (!first) return [{ subject, verdict: "ok", message: "allowed" }];
  const names = denied.map(({ operation }) => operation).join(", ");
  const remedy = isForbidden(first)
    ? "allow them: partnerd iam-policy prints the policy"
    : "check the credentials, and that they belong to this partition and Region";
  return [{ subject, verdict: "failed", message: `CodePipeline denies ${names}: ${first.message}`, remedy }];
}

function clockFinding({ region, clockAheadMs: aheadMs, actionTypes }: RegionInspection, where: string): Finding {
  const subject = `CodePipeline in ${where}`;
  if (aheadMs === undefined) {
    const fault = actionTypes.map(({ seen }) => (seen.kind === "failed" ? remedyOf(seen.fault.code) : undefined));
    const special = fault.find((each) => each !== undefined);
    const remedy =
      special ??
      `check DNS, proxy and routes; without internet access, an interface endpoint com.amazonaws.${region}.codepipeline`;
    return { subject, verdict: "failed", message: "nothing answers", remedy };
  }
  if (aheadMs === 0) return { subject, verdict: "ok", message: "answers, and the clocks agree" };
  const off = `${Math.abs(Math.round(aheadMs / 1_000))} s ${aheadMs > 0 ? "ahead of" : "behind"}`;
  const message = `answers, but this machine's clock is ${off} AWS's`;
  const remedy = "set the clock (chrony, systemd-timesyncd): AWS rejects signatures that are 5 min off";
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
      // A proxy denies as CodePipeline does.
      return {
        message,
        remedy: remedyOf(fault.code) ?? "check the credentials, and that they belong to this partition and Region",
      };
    case "throttled":
      return { message, remedy: "throttled: try again in a minute" };
    case "misconfigured":
      return { message, remedy: "check aws.endpoint, and any FIPS or dual-stack variables" };
    default:
      return {
        message,
        remedy:
          remedyOf(fault.code) ??
          `check the network path to CodePipeline in ${region}: DNS, proxy, routes, aws.endpoint`,
      };
  }
}

// The two operations of the Security Token Service that a worker of several accounts needs, on the same port: the Query
// protocol, a form in and XML out.
import type { Clock } from "../std/clock.js";
import type { Accounts, Session } from "./accounts.js";
import type { ApiRequest } from "./job-api.js";
import { scopeOf, verifySignature } from "./signature.js";
import { ApiError } from "./wire.js";

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
const serviceName = "sts";
const texts: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** True for a call that is a form: the job API's are JSON. */
export function isStsCall({ headers }: ApiRequest): boolean {
  return headers["content-type"]?.startsWith("application/x-www-form-urlencoded") ?? false;
}

/** Answers AssumeRole and GetCallerIdentity for the accounts that there are. */
export class Sts {
  readonly #accounts: Accounts;
  readonly #clock: Clock;

  constructor(options: { readonly accounts: Accounts; readonly clock: Clock }) {
    this.#accounts = options.accounts;
    this.#clock = options.clock;
  }

  handle(request: ApiRequest): void {
    const form = new URLSearchParams(request.body.toString("utf8"));
    const action = form.get("Action") ?? "";
    try {
      const result = this.#serve(request, action, form);
      reply(
        request,
        200,
        `<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result>`,
        action,
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const what = `<Error><Type>Sender</Type><Code>${error.code}</Code><Message>${escaped(error.message)}</Message></Error>`;
      reply(request, error.status, `<ErrorResponse xmlns="${namespace}">${what}`, "Error");
    }
  }

  #serve(request: ApiRequest, action: string, form: URLSearchParams): string {
    const nowMs = this.#clock.now();
    if (!this.#accounts.isOn) throw new ApiError("AccessDenied", "The emulator has no accounts", { status: 403 });
    const scope = scopeOf(request.headers.authorization);
    if (!scope) throw new ApiError("MissingAuthenticationToken", "Missing Authentication Token", { status: 403 });
    const caller = stsFault(() => this.#accounts.identityOf(scope.accessKeyId, nowMs));
    stsFault(() => verifySignature(request, caller.credentials, nowMs, serviceName));
    if (action === "GetCallerIdentity") {
      return `<Arn>${escaped(caller.arn)}</Arn><UserId>AIDA</UserId><Account>${caller.account}</Account>`;
    }
    if (action !== "AssumeRole") throw new ApiError("InvalidAction", `Could not find operation ${action}`);
    const seconds = Number(form.get("DurationSeconds") ?? Number.NaN);
    const externalId = form.get("ExternalId");
    const asked = {
      roleArn: form.get("RoleArn") ?? "",
      ...(externalId !== null && { externalId }),
      ...(Number.isFinite(seconds) && { durationMs: seconds * 1_000 }),
    };
    return lent(this.#accounts.assume(asked, caller, nowMs), form.get("RoleSessionName") ?? "");
  }
}

function lent({ accessKeyId, secretAccessKey, sessionToken, untilMs, arn }: Session, name: string): string {
  const user = `<Arn>${escaped(`${arn}/${name}`)}</Arn><AssumedRoleId>AROA:${escaped(name)}</AssumedRoleId>`;
  return `<AssumedRoleUser>${user}</AssumedRoleUser><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId>
<SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken>
<Expiration>${new Date(untilMs).toISOString()}</Expiration></Credentials>`;
}

/** STS has names of its own for what the job API refuses. */
function stsFault<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const codes: Readonly<Record<string, string>> = {
      UnrecognizedClientException: "InvalidClientTokenId",
      ExpiredTokenException: "ExpiredToken",
      InvalidSignatureException: "SignatureDoesNotMatch",
    };
    throw new ApiError(codes[error.code] ?? error.code, error.message, { status: 403 });
  }
}

function reply({ response }: ApiRequest, status: number, start: string, name: string): void {
  const body = `${start}<ResponseMetadata><RequestId>emulated</RequestId></ResponseMetadata></${name}Response>`;
  const headers = { "x-amzn-RequestId": "emulated", "content-type": "text/xml" };
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>]/g, (each) => texts[each] ?? each);
}

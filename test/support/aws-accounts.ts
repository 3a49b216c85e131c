// Several AWS accounts for one daemon: an emulator for each, behind one endpoint that knows by the access key who calls,
// and a small Security Token Service that lends roles. A role can be revoked while it is in use.
import { randomUUID } from "node:crypto";
import { request as call, createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";

/** One account: what its role asks for. */
export interface AwsAccount {
  readonly accountId: string;
  readonly externalId?: string;
  /** How long the role's credentials live, in ms; an hour if left out. */
  readonly lifetimeMs?: number;
}

/** One AssumeRole, as it was asked. */
export interface Assumed {
  readonly roleArn: string;
  readonly externalId: string | undefined;
  readonly sessionName: string | undefined;
  readonly region: string;
  readonly by: string;
  /** `ok`, or the code of the refusal. */
  readonly answer: string;
}

export interface AwsAccounts<Name extends string> extends AsyncDisposable {
  /** CodePipeline of all accounts. */
  readonly url: string;
  readonly stsUrl: string;
  readonly emulators: Readonly<Record<Name, Emulator>>;
  readonly assumed: readonly Assumed[];
  roleOf(name: Name): string;
  /** No new session is lent, and those that were are refused. */
  revoke(name: Name): void;
  restore(name: Name): void;
  /** The token service answers every call with HTTP 503 from now on, or no longer. */
  failSts(isFailing: boolean): void;
}

/** Starts them; the account `default` is reached by the keys of the tests' environment. */
export async function startAwsAccounts<Name extends string>(
  accounts: Readonly<Record<Name, AwsAccount>>,
): Promise<AwsAccounts<Name>> {
  const names = Object.keys(accounts) as Name[];
  const started = await Promise.all(names.map(async (name) => [name, await startEmulator()] as const));
  const emulators = Object.fromEntries(started) as Record<Name, Emulator>;
  const roleOf = (name: Name) => `arn:aws:iam::${accounts[name].accountId}:role/partnerd`;
  const sessions = new Map<string, Name>();
  const revoked = new Set<Name>();
  const assumed: Assumed[] = [];
  let isStsFailing = false;

  const sts = await serve(async (incoming, outgoing) => {
    const asked = new URLSearchParams(await textOf(incoming));
    const { accessKeyId: by = "", region = "" } = scopeOf(incoming);
    const [roleArn, externalId] = [asked.get("RoleArn") ?? "", asked.get("ExternalId") ?? undefined];
    const name = names.find((each) => roleOf(each) === roleArn);
    const isAllowed = name !== undefined && !revoked.has(name) && accounts[name].externalId === externalId;
    const answer = isStsFailing ? "ServiceUnavailable" : isAllowed && by !== "" ? "ok" : "AccessDenied";
    const sessionName = asked.get("RoleSessionName") ?? undefined;
    assumed.push({ roleArn, externalId, sessionName, region, by, answer });
    if (isStsFailing) return xml(outgoing, 503, "<html>service unavailable</html>");
    if (answer !== "ok" || name === undefined) return xml(outgoing, 403, refusal(by, roleArn));
    const accessKeyId = `ASIA${randomUUID().replaceAll("-", "").slice(0, 16).toUpperCase()}`;
    sessions.set(accessKeyId, name);
    const until = new Date(Date.now() + (accounts[name].lifetimeMs ?? 3_600_000));
    xml(outgoing, 200, lent(roleArn, accessKeyId, until));
  });

  const front = await serve(async (incoming, outgoing) => {
    const body = await textOf(incoming);
    const key = scopeOf(incoming).accessKeyId ?? "";
    const name = sessions.get(key) ?? (key.startsWith("AKIA") ? names.find((each) => each === "default") : undefined);
    if (name === undefined || revoked.has(name)) {
      const code = name === undefined ? "UnrecognizedClientException" : "ExpiredTokenException";
      const headers = { "content-type": "application/x-amz-json-1.1", "x-amzn-requestid": randomUUID() };
      outgoing.writeHead(400, headers).end(JSON.stringify({ __type: code, message: `no such session: ${code}` }));
      return;
    }
    const options = { method: incoming.method, headers: incoming.headers, path: incoming.url };
    const forward = call(emulators[name].url, options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    forward.on("error", () => outgoing.socket?.destroy());
    forward.end(body);
  });

  return {
    url: urlOf(front),
    stsUrl: urlOf(sts),
    emulators,
    assumed,
    roleOf,
    revoke: (name) => void revoked.add(name),
    restore: (name) => void revoked.delete(name),
    failSts: (isFailing) => {
      isStsFailing = isFailing;
    },
    async [Symbol.asyncDispose]() {
      for (const server of [front, sts]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      await Promise.all(Object.values<Emulator>(emulators).map((emulator) => emulator.close()));
    },
  };
}

function serve(answer: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    outgoing.on("error", () => {});
    answer(incoming, outgoing).catch(() => outgoing.socket?.destroy());
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Who calls, and in which Region, as the signature has it. */
function scopeOf({ headers }: IncomingMessage): { readonly accessKeyId?: string; readonly region?: string } {
  const [, accessKeyId, region] = /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(headers.authorization ?? "") ?? [];
  return { ...(accessKeyId ? { accessKeyId } : {}), ...(region ? { region } : {}) };
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming) text += chunk;
  return text;
}

function xml(outgoing: ServerResponse, status: number, body: string): void {
  outgoing.writeHead(status, { "content-type": "text/xml", "x-amzn-requestid": randomUUID() }).end(body);
}

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/";

function lent(roleArn: string, accessKeyId: string, until: Date): string {
  return `<AssumeRoleResponse xmlns="${namespace}"><AssumeRoleResult>
<AssumedRoleUser><Arn>${roleArn}/session</Arn><AssumedRoleId>AROA:session</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>lent-secret</SecretAccessKey>
<SessionToken>lent-token</SessionToken><Expiration>${until.toISOString()}</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></AssumeRoleResponse>`;
}

function refusal(by: string, roleArn: string): string {
  return `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>User: ${by} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}</Message></Error>
<RequestId>${randomUUID()}</RequestId></ErrorResponse>`;
}

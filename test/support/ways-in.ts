// Each way by which a process gets AWS credentials, as a fake over real HTTP, real files and real processes: what it gives
// can be replaced, ended, refused, delayed for ever and garbled while a daemon goes by it. Two accounts are behind one
// endpoint that knows by the access key who calls; the second is always reached by a profile of its own.
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { request as call, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";

export const ways = [
  ...(["static-keys", "profile", "process", "web-identity", "pod-identity", "ecs", "imds", "assumed-role"] as const),
];
export type Way = (typeof ways)[number];

/** What the provider does when it is asked. */
export type Behaviour = "lends" | "refuses" | "hangs" | "garbage" | "wrong-members";

/** Stands in whatever is garbled; it must be seen nowhere. */
export const garbledSecret = "wJalrGARBLEDsecretKEY";
const roleArn = "arn:aws:iam::111111111111:role/way";
const masterKey = "AKIAMASTERMASTER0000";
const neighbourKey = "AKIANEIGHBOUR0000000";

export interface WaysIn extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly neighbour: Emulator;
  /** CodePipeline, and what lends credentials, both on this machine. */
  readonly url: string;
  readonly providerUrl: string;
  /** For `vi.stubEnv`: what sets the way up. */
  readonly environment: Readonly<Record<string, string>>;
  /** The configuration of the account that goes this way. */
  readonly access: { readonly roleArn?: string; readonly profile?: string };
  /** How the provider was asked: `STS`, or method and path. */
  readonly asked: readonly string[];
  /** Calls of CodePipeline by keys that had ended, or were withdrawn. */
  readonly refusedCalls: number;
  /** How many credential processes live now. */
  processes(): number;
  /** From now on it does so, and keys live for so long; files are written anew. */
  set(behaviour: Behaviour, lifetimeMs?: number): void;
  /** Other keys, as variables of the environment. */
  newKeys(): Readonly<Record<string, string>>;
  /** CodePipeline takes none of the keys that were given so far. */
  withdraw(): void;
}

/** Starts the fakes of one way. `sts`: how the daemon names the token service. */
export async function startWayIn(
  way: Way,
  folder: string,
  { sts, hourMs = 3_600_000 }: { readonly sts?: string; readonly hourMs?: number } = {},
): Promise<WaysIn> {
  const [emulator, neighbour] = await Promise.all([startEmulator(), startEmulator()]);
  const state = { behaviour: "lends" as Behaviour, lifetimeMs: hourMs, refusedCalls: 0 };
  const keys = new Map<string, { readonly untilMs: number; isWithdrawn: boolean }>();
  const asked: string[] = [];
  const lend = () => {
    const id = `ASIA${randomUUID().replaceAll("-", "").slice(0, 16).toUpperCase()}`;
    const untilMs = Date.now() + state.lifetimeMs;
    keys.set(id, { untilMs, isWithdrawn: false });
    return { id, secret: `secret-of-${id}`, token: `token-of-${id}`, until: new Date(untilMs).toISOString() };
  };

  const provider = await serve(async (incoming, outgoing) => {
    const body = await textOf(incoming);
    asked.push(incoming.url === "/" ? "STS" : `${incoming.method} ${incoming.url}`);
    if (state.behaviour === "hangs") return;
    if (incoming.url === "/") return sts_(incoming, outgoing, new URLSearchParams(body));
    metadata(incoming, outgoing);
  });
  const sts_ = (incoming: IncomingMessage, outgoing: ServerResponse, form: URLSearchParams) => {
    const action = form.get("Action") ?? "";
    const isKnown =
      action === "AssumeRole"
        ? incoming.headers.authorization?.includes(masterKey)
        : form.get("WebIdentityToken") === readFileSync(file("token"), "utf8");
    if (state.behaviour === "refuses" || !isKnown) {
      const code = action === "AssumeRole" ? "AccessDenied" : "InvalidIdentityToken";
      const message = `not authorized to perform: sts:${action} on resource: ${roleArn}`;
      const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`;
      return reply(outgoing, 403, `<ErrorResponse>${error}<RequestId>1</RequestId></ErrorResponse>`, "text/xml");
    }
    if (state.behaviour === "garbage") return reply(outgoing, 200, `<html>${garbledSecret}`, "text/xml");
    const { id, secret, token, until } = lend();
    const given =
      state.behaviour === "wrong-members"
        ? `<AccessKeyId> </AccessKeyId><Secret>${garbledSecret}</Secret>`
        : `<AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey>
           <SessionToken>${token}</SessionToken><Expiration>${until}</Expiration>`;
    const result = `<${action}Result><Credentials>${given}</Credentials></${action}Result>`;
    const namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
    reply(outgoing, 200, `<${action}Response xmlns="${namespace}">${result}</${action}Response>`, "text/xml");
  };
  const metadata = ({ method, url = "", headers }: IncomingMessage, outgoing: ServerResponse) => {
    if (state.behaviour === "refuses") return reply(outgoing, 403, `{"Code":"no","Message":"${garbledSecret}"}`);
    if (method === "PUT" && url === "/latest/api/token") return reply(outgoing, 200, "imds-token", "text/plain");
    const isImds = url.startsWith("/latest/");
    const isAllowed = isImds
      ? headers["x-aws-ec2-metadata-token"] === "imds-token"
      : headers.authorization === (way === "ecs" ? "token-of-the-task" : readFileSync(file("token"), "utf8").trim());
    if (!isAllowed) return reply(outgoing, 401, "{}");
    if (isImds && url.endsWith("/security-credentials/")) return reply(outgoing, 200, "way-role", "text/plain");
    reply(outgoing, 200, documentOf("Token"));
  };
  /** What container, instance and process give, each under its names. */
  const documentOf = (tokenName: "Token" | "SessionToken"): string => {
    const { id, secret, token, until } = lend();
    if (state.behaviour === "garbage")
      return `{"Version":1,"AccessKeyId":"${id}","SecretAccessKey":"${garbledSecret}",}`;
    if (state.behaviour === "wrong-members") {
      return JSON.stringify({
        Version: 1,
        Code: "Success",
        AccessKeyId: `AS\nIA`,
        SecretAccessKey: garbledSecret,
        [tokenName]: "t",
        Expiration: until,
      });
    }
    return JSON.stringify({
      Version: 1,
      Code: "Success",
      AccessKeyId: id,
      SecretAccessKey: secret,
      [tokenName]: token,
      Expiration: until,
    });
  };

  const front = await serve(async (incoming, outgoing) => {
    const body = await textOf(incoming);
    const [, key = ""] = /Credential=([^/]+)\//.exec(incoming.headers.authorization ?? "") ?? [];
    const known = keys.get(key);
    const isGood = key === neighbourKey || (known && !known.isWithdrawn && known.untilMs > Date.now());
    if (!isGood) {
      state.refusedCalls += 1;
      const code = known ? "ExpiredTokenException" : "UnrecognizedClientException";
      const told = JSON.stringify({ __type: code, message: "The security token included in the request is expired" });
      return reply(outgoing, 400, told, "application/x-amz-json-1.1");
    }
    const to = key === neighbourKey ? neighbour : emulator;
    const forward = call(
      to.url,
      { method: incoming.method, headers: incoming.headers, path: incoming.url },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forward.on("error", () => outgoing.socket?.destroy());
    forward.end(body);
  });

  const file = (name: string) => join(folder, name);
  const setup = setUp(way, file, sts ?? provider.url, provider.url);
  const write = () => {
    for (const [name, text] of Object.entries(filesOf(way, state.behaviour, lend, documentOf, file))) {
      // Whoever reads meanwhile has the old one or the new one.
      writeFileSync(file(`${name}.new`), text);
      renameSync(file(`${name}.new`), file(name));
    }
  };
  write();
  // A process that is asked again gives new keys; the file that it prints is kept young.
  const aging = setInterval(() => {
    if (way === "process" && state.lifetimeMs < hourMs && state.behaviour === "lends") write();
  }, 50);
  const environment = { ...setup.environment, ...(way === "static-keys" ? staticKeys(lend()) : {}) };
  return {
    emulator,
    neighbour,
    url: front.url,
    providerUrl: provider.url,
    environment,
    access: setup.access,
    asked,
    get refusedCalls() {
      return state.refusedCalls;
    },
    processes: () => (existsSync(file("pids")) ? livingOf(readFileSync(file("pids"), "utf8")) : 0),
    set: (behaviour, lifetimeMs = hourMs) => {
      Object.assign(state, { behaviour, lifetimeMs });
      write();
    },
    newKeys: () => staticKeys(lend()),
    withdraw: () => {
      for (const key of keys.values()) key.isWithdrawn = true;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(aging);
      await Promise.all([front.close(), provider.close(), emulator.close(), neighbour.close()]);
    },
  };
}

type Lent = { readonly id: string; readonly secret: string; readonly token: string };

function staticKeys({ id, secret, token }: Lent): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token };
}

function setUp(way: Way, file: (name: string) => string, stsUrl: string, providerUrl: string) {
  const common = {
    AWS_CONFIG_FILE: file("config"),
    AWS_SHARED_CREDENTIALS_FILE: file("credentials"),
    AWS_ENDPOINT_URL_STS: stsUrl,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: providerUrl,
    AWS_EC2_METADATA_DISABLED: "false",
    ...Object.fromEntries(
      ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].map((name) => [name, ""]),
    ),
  };
  const containers = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${providerUrl}/creds` };
  switch (way) {
    case "static-keys":
    case "imds":
      return { environment: common, access: {} };
    case "profile":
      return { environment: common, access: { profile: "way" } };
    case "process":
      return { environment: { ...common, AWS_PROFILE: "way" }, access: {} };
    case "web-identity": {
      const own = { AWS_WEB_IDENTITY_TOKEN_FILE: file("token"), AWS_ROLE_ARN: roleArn };
      return { environment: { ...common, ...own }, access: {} };
    }
    case "pod-identity":
      return {
        environment: { ...common, ...containers, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file("token") },
        access: {},
      };
    case "ecs":
      return {
        environment: { ...common, ...containers, AWS_CONTAINER_AUTHORIZATION_TOKEN: "token-of-the-task" },
        access: {},
      };
    case "assumed-role": {
      const master = { AWS_ACCESS_KEY_ID: masterKey, AWS_SECRET_ACCESS_KEY: "master" };
      return { environment: { ...common, ...master }, access: { roleArn } };
    }
  }
}

/** What lies in the folder. */
function filesOf(
  way: Way,
  behaviour: Behaviour,
  lend: () => Lent,
  documentOf: (tokenName: "SessionToken") => string,
  file: (name: string) => string,
): Record<string, string> {
  const near = `[profile near]\naws_access_key_id = ${neighbourKey}\naws_secret_access_key = near\n`;
  const token = `token-of-the-pod-${randomUUID()}`;
  if (way === "profile") {
    const { id, secret, token: session } = lend();
    const bad = behaviour === "garbage" ? `aws_access_key_id = AS IA\naws_secret_access_key = ${garbledSecret}` : "";
    const wrong = `aws_access_key_id =\naws_secret_access_key = ${garbledSecret}`;
    const good = `aws_access_key_id = ${id}\naws_secret_access_key = ${secret}\naws_session_token = ${session}`;
    const text =
      behaviour === "garbage"
        ? bad
        : behaviour === "wrong-members"
          ? wrong
          : behaviour === "refuses"
            ? "region = x"
            : good;
    return { credentials: `[way]\n${text}\n`, config: near };
  }
  if (way !== "process") return { credentials: "", config: near, token };
  const deeds: Record<Behaviour, string> = {
    lends: `cat ${file("answer")}`,
    garbage: `cat ${file("answer")}`,
    "wrong-members": `cat ${file("answer")}`,
    refuses: `echo ${garbledSecret} >&2; exit 3`,
    hangs: `echo $$ >> ${file("pids")}; sleep 100; echo`,
  };
  return {
    credentials: "",
    config: `${near}[profile way]\ncredential_process = sh ${file("give")} --password ${garbledSecret}\n`,
    answer: documentOf("SessionToken"),
    give: `#!/bin/sh\n${deeds[behaviour]}\n`,
  };
}

/** How many of the processes are there. */
function livingOf(pids: string): number {
  return pids.split("\n").filter((pid) => {
    try {
      return pid !== "" && process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  }).length;
}

async function serve(answer: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>) {
  const server = createServer((incoming, outgoing) => {
    outgoing.on("error", () => {});
    answer(incoming, outgoing).catch(() => outgoing.socket?.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(outgoing: ServerResponse, status: number, body: string, type = "application/json"): void {
  outgoing.writeHead(status, { "content-type": type, "x-amzn-requestid": randomUUID() }).end(body);
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming) text += chunk;
  return text;
}

// By which proxy what leaves this machine goes, whether the proxy lets it through, and what to do about whatever lies
// between us and a service: a name, a proxy, a certificate. Sends no request.
import type { PartsOptions } from "../compose/parts-options.js";
import { proxiesOf } from "../compose/proxies-of.js";
import { HttpClient } from "../network/http-client.js";
import { proxyAuthCode } from "../network/http-faults.js";
import { codeOf, describeError } from "../std/errors.js";
import { dnsSuffixOf } from "../std/partitions.js";
import type { Proxies, WebProxy } from "../std/proxies.js";
import type { Finding } from "./finding.js";

const connectLimitMs = 5_000;

/** Where a daemon of this configuration calls. */
interface Target {
  readonly name: string;
  readonly url: URL;
}

/** One finding for each proxy that the environment names; none where it names none. */
export async function waysOut(options: PartsOptions): Promise<readonly Finding[]> {
  const proxies = proxiesOf(options);
  const targets = proxies.all.length === 0 ? [] : targetsOf(options);
  return Promise.all(proxies.all.map((proxy) => proxyFinding(proxy, proxies, targets)));
}

async function proxyFinding(proxy: WebProxy, proxies: Proxies, targets: readonly Target[]): Promise<Finding> {
  const subject = `proxy ${proxy.shown}`;
  const by = targets.filter(({ url }) => proxies.of(url) === proxy);
  const direct = targets.filter(({ url }) => proxies.of(url) === undefined);
  const [first] = by;
  const others = direct.length === 0 ? "" : `; directly: ${namesOf(direct)}`;
  if (!first) return { subject, verdict: "ok", message: `${proxy.variable} is set, and nothing uses it${others}` };
  try {
    await reachBy(proxies, first.url);
    // A whole request cannot be tried without a request: only its connection is.
    const does = first.url.protocol === "https:" ? "forwards connections to" : "accepts connections for";
    return { subject, verdict: "ok", message: `${does} ${namesOf(by)} (${proxy.variable})${others}` };
  } catch (error) {
    const message = `does not forward connections to ${namesOf(by)} (${proxy.variable}): ${describeError(error)}`;
    return { subject, verdict: "failed", message, remedy: remedyOf(codeOf(error)) ?? "check the proxy" };
  }
}

/** Connects as the daemon would, and disconnects. */
export async function reachBy(proxies: Proxies, url: URL): Promise<void> {
  const client = new HttpClient({ proxies, connectionTimeoutMs: connectLimitMs, idleMs: 1 });
  try {
    await client.reach(url, AbortSignal.timeout(connectLimitMs));
  } finally {
    client.close();
  }
}

/** What to do about a fault between us and a service, by its code; `undefined` where the code says nothing special. */
export function remedyOf(code: string | undefined): string | undefined {
  switch (code) {
    case proxyAuthCode:
      return "correct user and password in HTTPS_PROXY or HTTP_PROXY; write @ : / and % in them as %40 %3A %2F and %25";
    case "proxy-refused":
      return "allow the host and port in the proxy, or name the host in NO_PROXY if partnerd can reach it directly";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "check DNS; if only a proxy can resolve such names, set HTTPS_PROXY";
    default:
      if (code === undefined || !/CERT|SELF_SIGNED|UNABLE_TO|^ERR_TLS/.test(code)) return undefined;
      return "name the file with the CA of your proxy or service in NODE_EXTRA_CA_CERTS, and check the host's name";
  }
}

function targetsOf({ config, environment }: PartsOptions): readonly Target[] {
  const regions = [...new Set(config.actionTypes.flatMap((type) => type.regions))];
  const set = (name: string) => environment[name] || undefined;
  const common = set("AWS_ENDPOINT_URL");
  const aws = (name: string, service: string, region: string, own: string | undefined): Target => {
    const text = own ?? common ?? `https://${service}.${region}.${dnsSuffixOf(region)}`;
    return { name: `${name} in ${region}`, url: new URL(text) };
  };
  const codePipeline = config.aws.endpoint ?? set("AWS_ENDPOINT_URL_CODEPIPELINE");
  const s3 = config.artifacts.endpoint ?? set("AWS_ENDPOINT_URL_S3") ?? config.aws.endpoint;
  const { ledger } = config;
  const table = ledger.store === "dynamodb" ? (ledger.region ?? set("AWS_REGION") ?? regions[0]) : undefined;
  return [
    ...regions.map((region) => aws("CodePipeline", "codepipeline", region, codePipeline)),
    ...regions.map((region) => aws("S3", "s3", region, s3)),
    ...(table !== undefined && ledger.store === "dynamodb"
      ? [aws("DynamoDB", "dynamodb", table, ledger.endpoint ?? set("AWS_ENDPOINT_URL_DYNAMODB"))]
      : []),
    ...Object.entries(config.handlers).flatMap(([name, handler]) =>
      handler.kind === "http" ? [{ name: `handler ${name}`, url: new URL(handler.url) }] : [],
    ),
  ];
}

function namesOf(targets: readonly Target[]): string {
  return targets.map(({ name }) => name).join(", ");
}

// What a call over HTTP fails by, under the system's names: undici has its own for what Node's client calls ECONNRESET
// or ETIMEDOUT, and whoever reads a log, a metric or a runbook knows the latter. Nothing of a request is in an error.
import { codeOf } from "../std/errors.js";
import { validateHeaderValue } from "../std/node-http.js";

/** The call had no whole answer. `code` is the system's, Node's or OpenSSL's name for why. */
export class HttpFault extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    // The code is its name; a name of its own would be taken for a service's.
    if (code === "ETIMEDOUT") this.name = "TimeoutError";
    this.code = code;
  }
}

/** The proxy let nothing through: nothing was asked of anybody behind it. */
export class ProxyFault extends HttpFault {
  /** What it answered; absent when it did not. */
  readonly status: number | undefined;

  constructor(fault: {
    readonly code: string;
    readonly message: string;
    readonly status?: number;
    readonly cause?: unknown;
  }) {
    super(fault.code, fault.message, fault.cause);
    this.status = fault.status;
  }
}

/** The code of a proxy that does not accept our user and password. */
export const proxyAuthCode = "proxy-auth-required";
const proxyAuthStatus = 407;

/** The fault of a proxy that answered in place of whoever was meant. */
export function proxyRefusal(proxy: string, status: number): ProxyFault {
  if (status === proxyAuthStatus) {
    const message = `the proxy ${proxy} does not accept its user and password, or wants some (HTTP ${status})`;
    return new ProxyFault({ code: proxyAuthCode, message, status });
  }
  const message = `the proxy ${proxy} answered HTTP ${status} instead of connecting`;
  return new ProxyFault({ code: "proxy-refused", message, status });
}

/** The fault of a proxy that there is no connection to. */
export function proxyFailure(proxy: string, error: unknown): ProxyFault {
  if (error instanceof ProxyFault) return error;
  const { code, message } = faultOf(error);
  return new ProxyFault({ code, message: `the proxy ${proxy} cannot be used: ${message}`, cause: error });
}

export function timeout(what: string, limitMs: number): HttpFault {
  return new HttpFault("ETIMEDOUT", `${what} within ${limitMs} ms`);
}

const systemCodes: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: "ETIMEDOUT",
  UND_ERR_HEADERS_TIMEOUT: "ETIMEDOUT",
  UND_ERR_BODY_TIMEOUT: "ETIMEDOUT",
  UND_ERR_SOCKET: "ECONNRESET",
  UND_ERR_CLOSED: "ECONNRESET",
  UND_ERR_DESTROYED: "ECONNRESET",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "ECONNRESET",
  UND_ERR_HEADERS_OVERFLOW: "HPE_HEADER_OVERFLOW",
};

/** An error of undici or of Node's network as a fault with the system's code; the former is its cause. */
export function faultOf(error: unknown): HttpFault {
  if (error instanceof HttpFault) return error;
  const isGarbage = error instanceof Error && error.name === "HTTPParserError";
  // undici's parser has lost the names of what it refuses.
  const code = codeOf(error) ?? (isGarbage ? "HPE_INVALID" : "unknown");
  const message = error instanceof Error && error.message !== "" ? error.message : code;
  return new HttpFault(systemCodes[code] ?? code, message, error);
}

/** Node's own error for the first header that none can be sent with; `undefined` if all can. */
export function headerFault(headers: Readonly<Record<string, string>>): Error | undefined {
  try {
    for (const [name, value] of Object.entries(headers)) validateHeaderValue(name, value);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

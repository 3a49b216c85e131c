// Answers made small for whoever takes them so: pages are read over slow lines, and their tables repeat themselves. Done in
// place, since the threads that could do it may hang on a disk just when somebody wants to see why; so the size is bounded.
import type { IncomingHttpHeaders } from "node:http";
import { constants, gzipSync } from "node:zlib";

/** Smaller ones gain nothing. */
const leastBytes = 1_024;
/** About 10 ms on a slow core; what is longer, such as the status of a thousand jobs, is for machines near by. */
const mostBytes = 1_048_576;

/** The body, and the headers that say how it is written. */
export interface Written {
  readonly body: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * As gzip, if the request takes it and it is worth it. Not for a request that another site's page had a browser make: it
 * could choose what a page repeats of its address, and read off the length of the answer what else is in it (BREACH).
 */
export function writtenFor(request: IncomingHttpHeaders, text: string): Written {
  const size = Buffer.byteLength(text);
  if (size < leastBytes || size > mostBytes) return { body: text, headers: {} };
  const headers = { vary: "accept-encoding" };
  const { "sec-fetch-site": site = "none", "accept-encoding": coding } = request;
  const isOwn = site === "none" || site === "same-origin";
  if (!isOwn || !takesGzip(String(coding ?? ""))) return { body: text, headers };
  const body = gzipSync(text, { level: constants.Z_BEST_SPEED + 3 });
  return { body, headers: { ...headers, "content-encoding": "gzip" } };
}

/** `gzip;q=0` refuses it; `*` takes what is not named. */
function takesGzip(header: string): boolean {
  const codings = header
    .toLowerCase()
    .split(",")
    .map((each) => {
      const [name = "", ...parameters] = each.split(";").map((part) => part.trim());
      const quality = parameters.find((part) => part.startsWith("q="));
      return { name, isRefused: quality !== undefined && !(Number(quality.slice(2)) > 0) };
    });
  const meant =
    codings.find(({ name }) => name === "gzip" || name === "x-gzip") ?? codings.find(({ name }) => name === "*");
  return meant !== undefined && !meant.isRefused;
}

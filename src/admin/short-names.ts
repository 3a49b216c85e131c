// Long names in a few letters, for rows of one line: ids by their beginning, action types by their provider where that
// says which one is meant. The whole name is always at hand: in a title, in a link, by a button that copies it.
import { defaultAccount } from "../job/job.js";
import { type Html, html, type Piece } from "./html.js";

const wholeMax = 14;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-/i;

/** The beginning of a UUID, as the log writes it; of other long ids both ends, since many begin alike. */
export function shortId(id: string): string {
  if (id.length <= wholeMax) return id;
  if (uuid.test(id)) return id.slice(0, 8);
  return bothEnds(id);
}

/** Short forms that stay apart as long as the ids do: of those that begin alike, both ends. */
export function shortIds(all: Iterable<string>): (id: string) => string {
  const byShort = Map.groupBy(new Set(all), shortId);
  const alike = new Set([...byShort.values()].flatMap((ids) => (ids.length > 1 ? ids : [])));
  return (id) => (alike.has(id) ? bothEnds(id) : shortId(id));
}

function bothEnds(id: string): string {
  return id.length <= wholeMax ? id : `${id.slice(0, 4).toWellFormed()}…${id.slice(-6).toWellFormed()}`;
}

/** An id that leads to `href` and can be copied whole; `what` says of what it is the id. */
export function idHtml(id: string, what: string, href: string, short = shortId(id)): Html {
  return html`<span class="ids"><a href="${href}"><bdi class="id" title="${id}">${short}</bdi></a>${copyButton(what)}</span>`;
}

/** Copies the title of the element before it; shown only where there are scripts. */
function copyButton(what: string): Html {
  return html`<button type="button" class="copy" title="Copy the ${what}"><span class="hidden">Copy the ${what}</span></button>`;
}

/** `Acme-Deploy` for `Custom/Deploy/Acme-Deploy/1`, as long as all given names stay apart; else with more of it. */
export type TypeNames = (actionType: string) => string;

export function typeNames(all: Iterable<string>): TypeNames {
  const byProvider = Map.groupBy(new Set(all), (type) => type.split("/")[2] ?? type);
  const short = new Map<string, string>();
  for (const types of byProvider.values()) {
    for (const form of forms) {
      const names = types.map(form);
      if (new Set(names).size < types.length) continue;
      for (const [at, type] of types.entries()) short.set(type, names[at] ?? type);
      break;
    }
  }
  // A provider may be called as another one with its version is.
  const taken = Map.groupBy(short, ([, name]) => name);
  return (type) => {
    const name = short.get(type);
    return name === undefined || (taken.get(name)?.length ?? 0) > 1 ? type : name;
  };
}

/** From short to whole. */
const forms: readonly ((type: string) => string)[] = [
  (type) => type.split("/")[2] ?? type,
  (type) => within(type, ([, , provider, version]) => `${provider} ${version}`),
  (type) => within(type, ([, category, provider]) => `${category} ${provider}`),
  (type) => within(type, ([owner, , provider]) => `${owner} ${provider}`),
  (type) => type,
];

function within(type: string, form: (parts: readonly string[]) => string): string {
  const parts = type.split("/");
  return parts.length === 4 ? form(parts) : type;
}

/** The short name, with the whole one at hand. */
export function typeHtml(type: string, names: TypeNames): Piece {
  const name = names(type);
  return name === type ? type : html`<span title="${type}">${name}</span>`;
}

/** One line of a longer text. */
export function lineHtml(text: string, whole = text): Html {
  return html`<span class="text" title="${whole}">${text}</span>`;
}

/** The address of one job's page; with what of its place tells it from those of others. */
export function jobHref(
  {
    jobId,
    region,
    account = defaultAccount,
  }: { readonly jobId: string; readonly region: string; readonly account?: string },
  { hasAccounts, hasRegions }: { readonly hasAccounts: boolean; readonly hasRegions: boolean },
): string {
  const place = new URLSearchParams({ ...(hasAccounts ? { account } : {}), ...(hasRegions ? { region } : {}) });
  const query = hasAccounts || hasRegions ? `?${place}` : "";
  return `/jobs/${encodeURIComponent(jobId.toWellFormed())}${query}`;
}

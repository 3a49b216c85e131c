// What the overview's lists are narrowed to, as it stands in the address: so that it works by a form without a script,
// and can be sent as a link. What the address says is not trusted: cut to a length, and shown only as text.
import { type Html, html, type Piece } from "./html.js";
import type { TypeNames } from "./short-names.js";

export interface PageFilter {
  /** Only what failed, was dropped, or has trouble now. */
  readonly failed: boolean;
  /** The id, or the beginning of it. */
  readonly client?: string;
  readonly type?: string;
  readonly handler?: string;
  /** Equal failures are rows of their own. */
  readonly each: boolean;
  /** Many rows instead of a few. */
  readonly all: boolean;
  /** False: a browser without scripts does not load the page anew. */
  readonly refresh: boolean;
}

/** Longer than any id of CodePipeline. */
const valueMax = 600;

export function filterFrom(query: URLSearchParams): PageFilter {
  const text = (name: string) => query.get(name)?.trim().slice(0, valueMax).toWellFormed() ?? "";
  const given = (name: "client" | "type" | "handler") => (text(name) === "" ? {} : { [name]: text(name) });
  return {
    failed: text("failed") !== "",
    ...given("client"),
    ...given("type"),
    ...given("handler"),
    each: text("each") !== "",
    all: text("all") !== "",
    refresh: text("refresh") !== "off",
  };
}

/** The filter as an address of the overview; equal filters have equal addresses. */
export function pathOf(filter: PageFilter): string {
  const query = queryOf(filter);
  return query === "" ? "/" : `/?${query}`;
}

/** What comes after the question mark. */
export function queryOf({ failed, client, type, handler, each, all, refresh }: PageFilter): string {
  const query = new URLSearchParams();
  if (failed) query.set("failed", "1");
  for (const [name, value] of Object.entries({ client, type, handler }))
    if (value !== undefined) query.set(name, value);
  if (each) query.set("each", "1");
  if (all) query.set("all", "1");
  if (!refresh) query.set("refresh", "off");
  return query.toString();
}

/** True when lists are narrowed. */
export function isNarrow({ failed, client, type, handler }: PageFilter): boolean {
  return failed || client !== undefined || type !== undefined || handler !== undefined;
}

/** True for a job that the filter lets through, whether it is in trouble or not. */
export function isMeant(
  { client, type, handler }: PageFilter,
  job: { readonly clientId: string | undefined; readonly actionType: string; readonly handler: string | undefined },
): boolean {
  if (client !== undefined && !job.clientId?.startsWith(client)) return false;
  if (type !== undefined && job.actionType !== type) return false;
  return handler === undefined || job.handler === handler;
}

/** A filter by the short name of an action type is one by the type, as long as there is one of that name. */
export function withWholeType(filter: PageFilter, types: readonly string[], names: TypeNames): PageFilter {
  const { type } = filter;
  if (type === undefined || types.includes(type)) return filter;
  const whole = types.find((each) => names(each) === type);
  return whole === undefined ? filter : { ...filter, type: whole };
}

/** What there is to choose from. */
export interface FilterChoices {
  readonly clients: readonly string[];
  readonly types: readonly string[];
  readonly handlers: readonly string[];
  readonly names: TypeNames;
}

/** The form. It is written with the page and never replaced, so that nobody loses what they have begun to type. */
export function filterForm(filter: PageFilter, { clients, types, handlers, names }: FilterChoices): Html {
  const { failed, client, type, handler, each, all, refresh } = filter;
  const box = (name: string, text: string, isOn: boolean) =>
    html`<label class="box"><input type="checkbox" name="${name}" value="1"${isOn ? html` checked` : undefined}> ${text}</label>`;
  const kept = (name: string, value: string | undefined) =>
    value === undefined ? undefined : html`<input type="hidden" name="${name}" value="${value}">`;
  return html`<form id="filter" class="filter" method="get" action="/" role="search" aria-label="Filter">
${select("type", "Action type", type, types, names)}
${select("handler", "Handler", handler, handlers, (name) => name)}
<label>Client <input name="client" list="clients" value="${client ?? ""}" maxlength="${valueMax}" autocomplete="off" spellcheck="false" placeholder="any"></label>
<datalist id="clients">${clients.map((id) => html`<option value="${id}"></option>`)}</datalist>
${box("failed", "Only trouble", failed)}
${box("each", "Each failure by itself", each)}
${kept("all", all ? "1" : undefined)}${kept("refresh", refresh ? undefined : "off")}
<button type="submit">Show</button></form>`;
}

function select(
  name: string,
  label: string,
  chosen: string | undefined,
  values: readonly string[],
  shown: (value: string) => string,
): Piece {
  // Of a link that was sent yesterday.
  const all = chosen === undefined || values.includes(chosen) ? values : [...values, chosen];
  const option = (value: string) =>
    html`<option value="${value}"${value === chosen ? html` selected` : undefined}>${shown(value)}</option>`;
  return html`<label>${label} <select name="${name}"><option value="">any</option>${all.map(option)}</select></label>`;
}

/** Everything, in the same manner. */
export function unfiltered({ all, refresh }: PageFilter): PageFilter {
  return { failed: false, each: false, all, refresh };
}

// The overview's table of clients: who has how many of the slots, and whose jobs fail or are dropped. And that of action
// types, with the last hour of each in one small line.
import type { ClientCount, Results } from "./client-counts.js";
import type { Minute } from "./history.js";
import { type Html, html, type Piece } from "./html.js";
import { sparkline } from "./page-charts.js";
import { type PageFilter, pathOf } from "./page-filter.js";
import { type Column, tableHtml } from "./page-table.js";
import type { TableContext } from "./page-tables.js";
import { idHtml, typeHtml } from "./short-names.js";

const clientsShown = 10;
const clientsOnDemand = 200;

interface ClientRow extends ClientCount {
  readonly running: number;
}

/** Those with most jobs at work first, then those with most trouble. */
export function clientTable({ status, filter, clientName }: TableContext, counts: readonly ClientCount[]): Html {
  const running = new Map<string | undefined, number>();
  for (const { state, clientId } of status.jobs) {
    if (state !== "settled") running.set(clientId, (running.get(clientId) ?? 0) + 1);
  }
  const none = { succeeded: 0, continued: 0, failed: 0, dropped: 0 };
  const known = new Map(counts.map((count) => [count.clientId, count]));
  const ids = new Set([...running.keys(), ...known.keys()]);
  const rows = [...ids]
    .filter((clientId) => filter.client === undefined || clientId?.startsWith(filter.client))
    .map((clientId): ClientRow => {
      return { ...none, ...known.get(clientId), clientId, running: running.get(clientId) ?? 0 };
    })
    .filter((row) => !filter.failed || row.failed + row.dropped > 0)
    .toSorted((a, b) => b.running - a.running || b.failed + b.dropped - a.failed - a.dropped || total(b) - total(a));
  const share = ({ running: own }: ClientRow) => Math.round((100 * own) / Math.max(1, status.slots.max));
  const columns: readonly Column<ClientRow>[] = [
    {
      name: "Client",
      cell: ({ clientId }) => {
        if (clientId === undefined) return html`<span class="quiet">custom action types</span>`;
        return idHtml(clientId, "client id", pathOf({ ...filter, client: clientId }), clientName(clientId));
      },
    },
    { name: "Running", kind: "num", cell: (row) => row.running },
    { name: "Share of slots", kind: "num", cell: (row) => `${share(row)} %` },
    ...resultColumns<ClientRow>(),
  ];
  const shown = filter.all ? clientsOnDemand : clientsShown;
  return tableHtml({
    caption: "Clients",
    columns,
    rows: rows.slice(0, shown),
    keyOf: ({ clientId }) => clientId ?? "",
    empty: "No client had a job in the last hour.",
    ...(rows.length > shown ? { more: moreClients(rows.length - shown, filter) } : {}),
  });
}

function moreClients(count: number, filter: PageFilter): Piece {
  const more = `and ${count} more clients`;
  return filter.all
    ? more
    : html`${more}; <a href="${pathOf({ ...filter, all: true })}">show up to ${clientsOnDemand}</a>`;
}

interface TypeRow extends Results {
  readonly type: string;
  readonly running: number;
}

/** Each action type's last hour. */
export function typeTable({ status, filter, names }: TableContext, hour: readonly Minute[]): Html {
  const types = [...new Set([...status.pollers, ...status.jobs].map(({ actionType }) => actionType))];
  const rows = types
    .filter((type) => filter.type === undefined || filter.type === type)
    .map((type): TypeRow => {
      const sum = (what: keyof Results) =>
        hour.reduce((count, { byType }) => count + (byType.get(type)?.[what] ?? 0), 0);
      const running = status.jobs.filter(({ actionType, state }) => actionType === type && state !== "settled").length;
      const [succeeded, continued, failed, dropped] = [
        sum("succeeded"),
        sum("continued"),
        sum("failed"),
        sum("dropped"),
      ];
      return { type, running, succeeded, continued, failed, dropped };
    });
  const columns: readonly Column<TypeRow>[] = [
    {
      name: "Action type",
      cell: ({ type }) => html`<a href="${pathOf({ ...filter, type })}">${typeHtml(type, names)}</a>`,
    },
    { name: "The last hour", kind: "wide", cell: ({ type }) => sparkline(hour.map(({ byType }) => byType.get(type))) },
    { name: "Running", kind: "num", cell: (row) => row.running },
    ...resultColumns<TypeRow>(),
  ];
  return tableHtml({
    caption: "Action types",
    columns,
    rows: rows.slice(0, clientsOnDemand),
    keyOf: ({ type }) => type,
    empty: "No action type is polled.",
  });
}

function resultColumns<Row extends Results>(): readonly Column<Row>[] {
  const red = (count: number) => (count === 0 ? 0 : html`<span class="bad">${count}</span>`);
  return [
    { name: "Succeeded", kind: "num", cell: ({ succeeded, continued }) => succeeded + continued },
    { name: "Failed", kind: "num", cell: ({ failed }) => red(failed) },
    { name: "Dropped", kind: "num", cell: ({ dropped }) => red(dropped) },
  ];
}

function total({ succeeded, continued, failed, dropped }: Results): number {
  return succeeded + continued + failed + dropped;
}

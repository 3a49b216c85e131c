// A table of the console. Each cell carries its column's name, so that a narrow screen can show rows as cards; the roles
// are written out, since such a layout takes them from the elements. Each row has a key, by which the page's script finds
// it again when it changes.
import { type Html, html, type Piece } from "./html.js";

export interface Column<Row> {
  readonly name: string;
  /** `num`: right-aligned. `wide`: takes the room that is left, on one line. `minor`: not on a phone. */
  readonly kind?: "num" | "wide" | "minor";
  readonly cell: (row: Row) => Piece;
}

export interface TableOptions<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** One of its own for each row. */
  readonly keyOf: (row: Row) => string;
  /** Said instead of a table without rows. */
  readonly empty: Piece;
  /** Said below the table. */
  readonly more?: Piece;
}

export function tableHtml<Row>({ caption, columns, rows, keyOf, empty, more }: TableOptions<Row>): Html {
  if (rows.length === 0) return html`<p class="quiet">${empty}</p>`;
  const heads = columns.map(({ name, kind }) => html`<th role="columnheader" scope="col"${classOf(kind)}>${name}</th>`);
  const body = rows.map((row) => {
    const cells = columns.map(({ name, kind, cell }) => {
      const content = cell(row);
      return html`<td role="cell" data-name="${name}"${classOf(content === "–" ? `${kind ?? ""} none`.trim() : kind)}>${content}</td>`;
    });
    return html`<tr role="row" data-key="${keyOf(row)}">${cells}</tr>\n`;
  });
  return html`<table role="table"><caption class="hidden">${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${body}</tbody></table>${more === undefined ? undefined : html`<p class="quiet more">${more}</p>`}`;
}

function classOf(kind: string | undefined): Html | undefined {
  return kind === undefined ? undefined : html` class="${kind}"`;
}

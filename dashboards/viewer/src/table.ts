// A table whose columns sort; also the table behind every chart.

import { element } from "./dom";
import * as format from "./format";
import { type Cell, type Field, type Frame, nameOf, settingsOf } from "./model";
import type { Context, View } from "./view";

type Order = { column: number; up: boolean };

export class Table implements View {
  private readonly box = element("div", { class: "scroll", tabindex: "0" });
  private order: Order | null = null;

  constructor(parent: HTMLElement) {
    parent.append(this.box);
  }

  show(frame: Frame, context: Context): void {
    const head = frame.fields.map((field, column) => this.header(field, column, frame, context));
    const rows = sorted(frame, this.order).map((row) =>
      element("tr", {}, ...frame.fields.map((field) => cell(field, row, context))),
    );
    this.box.setAttribute("aria-label", context.panel.title ?? "");
    this.box.replaceChildren(
      element(
        "table",
        { class: "rows" },
        element("thead", {}, element("tr", {}, ...head)),
        element("tbody", {}, ...rows),
      ),
    );
  }

  close(): void {
    this.box.remove();
  }

  private header(field: Field, column: number, frame: Frame, context: Context): HTMLElement {
    const button = element("button", { type: "button" }, nameOf(field));
    const head = element("th", { scope: "col", class: alignment(field) }, button);
    if (this.order?.column === column) {
      head.setAttribute("aria-sort", this.order.up ? "ascending" : "descending");
    }
    button.addEventListener("click", () => {
      const up = this.order?.column === column ? !this.order.up : field.type === "string";
      this.order = { column, up };
      this.show(frame, context);
      this.box.querySelectorAll("button")[column]?.focus();
    });
    return head;
  }
}

function alignment(field: Field): string {
  return field.type === "number" || field.type === "string" ? field.type : "";
}

function sorted(frame: Frame, order: Order | null): number[] {
  const rows = (frame.fields[0]?.values ?? []).map((_, index) => index);
  const values = order && frame.fields[order.column]?.values;
  if (!values) return rows;
  const direction = order.up ? 1 : -1;
  return rows.sort((a, b) => {
    const [left, right] = [values[a] ?? null, values[b] ?? null];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return direction * compare(left, right);
  });
}

function compare(left: NonNullable<Cell>, right: NonNullable<Cell>): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  return String(left).localeCompare(String(right));
}

function cell(field: Field, row: number, { panel }: Context): HTMLElement {
  const settings = settingsOf(panel, field);
  const value = field.values[row] ?? null;
  const shown =
    field.type === "time" ? format.time(value, settings) : format.text(value, settings);
  const node = element("td", { class: alignment(field) }, shown);
  const colour = format.colour(value, settings);
  if (colour && settings.custom.cellOptions?.type === "color-text") {
    node.style.color = colour;
    node.classList.add("state");
  }
  return node;
}

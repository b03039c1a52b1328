// Horizontal bars in the order of the rows, as a table: names and values stay text.

import { element } from "./dom";
import * as format from "./format";
import { type Frame, settingsOf } from "./model";
import type { Context, View } from "./view";

export class Ranking implements View {
  private readonly box = element("div", { class: "scroll", tabindex: "0" });

  constructor(parent: HTMLElement) {
    parent.append(this.box);
  }

  show(frame: Frame, { panel }: Context): void {
    const names = frame.fields.find(({ type }) => type === "string")!;
    const numbers = frame.fields.find(({ type }) => type === "number")!;
    const settings = settingsOf(panel, numbers);
    const largest = Math.max(...numbers.values.map(Number), 0) || 1;
    const rows = names.values.map((name, index) => {
      const value = numbers.values[index] as number | null;
      const bar = element("span", { class: "bar" });
      bar.style.width = `${(100 * (value ?? 0)) / largest}%`;
      if (settings.color?.fixedColor) bar.style.backgroundColor = settings.color.fixedColor;
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, String(name)),
        element("td", { class: "bars", "aria-hidden": "true" }, bar),
        element("td", { class: "number" }, value === null ? "\u2013" : format.text(value, settings)),
      );
    });
    this.box.setAttribute("aria-label", panel.title ?? "");
    this.box.replaceChildren(
      element("table", { class: "ranking" }, element("tbody", {}, ...rows)),
    );
  }

  close(): void {
    this.box.remove();
  }
}

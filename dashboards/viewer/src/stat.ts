// One value in large type, perhaps with its way over time below.

import { element } from "./dom";
import * as format from "./format";
import { type Frame, settingsOf } from "./model";
import type { Context, View } from "./view";

const SVG = "http://www.w3.org/2000/svg";

export class Stat implements View {
  private readonly box = element("div", { class: "stat" });

  constructor(parent: HTMLElement) {
    parent.append(this.box);
  }

  show(frame: Frame, { panel }: Context): void {
    const field = frame.fields.find(({ type }) => type !== "time")!;
    const settings = settingsOf(panel, field);
    const known = field.values.filter((one) => one !== null);
    const value = known.at(-1) ?? null;
    const text = format.text(value, settings);
    const figure = element("p", { class: "figure" }, text);
    figure.classList.toggle("long", text.length > 12);
    const colour = format.colour(value, settings);
    if (colour) figure.style.color = colour;
    this.box.replaceChildren(figure);
    if (panel.options?.graphMode === "area") {
      this.box.append(sparkline(known.map(Number), colour ?? "currentColor"));
    }
  }

  close(): void {
    this.box.remove();
  }
}

function sparkline(values: number[], colour: string): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const largest = Math.max(...values) || 1;
  const points = values.map((value, index) => {
    const x = (100 * index) / Math.max(1, values.length - 1);
    return `${x.toFixed(2)},${(29 - (27 * value) / largest).toFixed(2)}`;
  });
  const area = document.createElementNS(SVG, "polygon");
  area.setAttribute("points", `0,30 ${points.join(" ")} 100,30`);
  area.setAttribute("fill", colour);
  area.setAttribute("fill-opacity", "0.15");
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.join(" "));
  line.setAttribute("fill", "none");
  line.setAttribute("stroke", colour);
  line.setAttribute("stroke-width", "2");
  line.setAttribute("vector-effect", "non-scaling-stroke");
  svg.append(area, line);
  return svg;
}

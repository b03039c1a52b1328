// One line a name, coloured by its state over time.

import { Canvas, FONT, GRID, timeAxis, tooltip, tooltipOf } from "./chart";
import { element, swatch } from "./dom";
import { graphic } from "./echarts";
import * as format from "./format";
import { type Cell, type FieldSettings, type Frame, nameOf, settingsOf } from "./model";
import { theme } from "./theme";
import { DAY, when } from "./time";
import type { Context, View } from "./view";

type Segment = {
  row: number;
  name: string;
  from: number;
  to: number;
  value: Cell;
  settings: FieldSettings;
};

type Api = {
  value: (dimension: number) => number;
  coord: (point: number[]) => [number, number];
  size: (point: number[]) => [number, number];
};
type Box = { x: number; y: number; width: number; height: number };

export class Timeline implements View {
  private readonly canvas: Canvas;
  private readonly legend = element("ul", { class: "legend", "aria-label": "Legend" });
  private redraw = () => undefined as void;

  constructor(parent: HTMLElement) {
    this.canvas = new Canvas(parent, () => this.redraw());
    parent.append(this.legend);
  }

  show(frame: Frame, context: Context): void {
    this.redraw = () => this.draw(frame, context);
    this.redraw();
  }

  close(): void {
    this.canvas.close();
  }

  private draw(frame: Frame, context: Context): void {
    const names = frame.fields.filter(({ type }) => type !== "time").map(nameOf);
    const segments = segmentsOf(frame, context);
    const colours = theme();
    this.list(segments);
    this.canvas.draw(
      {
        grid: GRID,
        xAxis: timeAxis(context.span, this.canvas.width, colours),
        yAxis: {
          type: "category",
          data: names,
          inverse: true,
          axisLine: { show: false },
          axisTick: { show: false },
          axisLabel: { color: colours.text, width: 140, overflow: "truncate", ...FONT },
        },
        series: [
          {
            type: "custom",
            clip: true,
            encode: { x: [0, 1], y: 2 },
            data: segments.map(({ from, to, row }) => [from, to, row]),
            renderItem: (params: { dataIndex: number; coordSys: Box }, api: Api) =>
              rectangle(params.coordSys, api, segments[params.dataIndex]!),
          },
        ],
        tooltip: {
          ...tooltip((found) => tip(segments[(found as { dataIndex: number }).dataIndex]!)),
          trigger: "item",
        },
      },
      `${context.panel.title}: ${names.join(", ")}. Show it as a table for the states.`,
      context.zoom,
    );
  }

  private list(segments: Segment[]): void {
    const states = new Map(
      segments.map(({ value, settings }) => [
        format.text(value, settings),
        format.colour(value, settings) ?? "gray",
      ]),
    );
    this.legend.replaceChildren(
      ...[...states].map(([text, colour]) =>
        element("li", {}, element("span", { class: "entry" }, swatch(colour), text)),
      ),
    );
  }
}

function segmentsOf(frame: Frame, { panel }: Context): Segment[] {
  const times = (frame.fields.find(({ type }) => type === "time")?.values ?? []) as number[];
  const step = Math.min(DAY, ...times.slice(1).map((at, index) => at - times[index]!));
  const segments: Segment[] = [];
  const named = frame.fields.filter(({ type }) => type !== "time");
  named.forEach((field, row) => {
    const settings = settingsOf(panel, field);
    const name = nameOf(field);
    times.forEach((from, index) => {
      const value = field.values[index] ?? null;
      const last = segments.at(-1);
      if (value === null) return;
      if (last?.row === row && last.value === value && last.to >= from) last.to = from + step;
      else segments.push({ row, name, from, to: from + step, value, settings });
    });
  });
  return segments;
}

function rectangle(area: Box, api: Api, { value, settings }: Segment) {
  const [left, middle] = api.coord([api.value(0), api.value(2)]);
  const [right] = api.coord([api.value(1), api.value(2)]);
  const height = Math.min(28, api.size([0, 1])[1] * 0.7);
  const whole = { x: left, y: middle - height / 2, width: right - left, height };
  const shape = graphic.clipRectByRect(whole, area);
  const fill = format.colour(value, settings) ?? "gray";
  return shape && { type: "rect", shape, style: { fill } };
}

function tip({ name, from, to, value, settings }: Segment): HTMLElement {
  const last = to - DAY;
  const span = last > from ? `${when(from)} to ${when(last)}` : when(from);
  const mark = swatch(format.colour(value, settings) ?? "gray");
  return tooltipOf(span, [[mark, name, format.text(value, settings)]]);
}

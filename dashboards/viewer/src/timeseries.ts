// Lines, bars and points over time, with Grafana's options for each series.

import { Canvas, FONT, GRID, timeAxis, tooltip, tooltipOf } from "./chart";
import { element, swatch } from "./dom";
import type { EChartsCoreOption } from "./echarts";
import * as format from "./format";
import { type FieldSettings, type Frame, nameOf, settingsOf } from "./model";
import { PALETTE, type Theme, theme } from "./theme";
import { when } from "./time";
import type { Context, View } from "./view";

type Point = [number, number | null];

type Series = {
  name: string;
  colour: string;
  settings: FieldSettings;
  values: (number | null)[];
};

export class TimeSeries implements View {
  private readonly canvas: Canvas;
  private readonly legend = element("ul", { class: "legend", "aria-label": "Legend" });
  private hidden = new Set<string>();
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
    const times = (frame.fields.find((field) => field.type === "time")?.values ??
      []) as number[];
    const all = seriesOf(frame, context);
    const shown = all.filter((series) => !this.hidden.has(series.name));
    const colours = theme();
    this.list(all, context);
    this.canvas.draw(
      {
        grid: GRID,
        xAxis: timeAxis(context.span, this.canvas.width, colours),
        yAxis: axes(all, colours),
        series: shown.flatMap((series) => drawn(series, shown, times)),
        tooltip: {
          ...tooltip((found) => tip(found, shown, times, context)),
          trigger: "axis",
        },
      },
      `${context.panel.title}: ${all.map((series) => series.name).join(", ")}, ` +
        "over time. Show it as a table for the figures.",
      context.zoom,
    );
  }

  private list(all: Series[], context: Context): void {
    const listed = all.filter(({ settings }) => !settings.custom.hideFrom?.legend);
    this.legend.hidden =
      context.panel.options?.legend?.showLegend === false || listed.length < 2;
    this.legend.replaceChildren(
      ...listed.map(({ name, colour, settings }) => {
        const button = element(
          "button",
          {
            type: "button",
            "aria-pressed": String(!this.hidden.has(name)),
            title: "Show only this one; with Ctrl, hide or show it",
          },
          mark(colour, settings),
          name,
        );
        button.addEventListener("click", (event) => {
          this.choose(name, event.ctrlKey || event.metaKey || event.shiftKey, all);
        });
        return element("li", {}, button);
      }),
    );
  }

  private choose(name: string, add: boolean, all: Series[]): void {
    const names = all.map((series) => series.name);
    if (add) {
      if (!this.hidden.delete(name)) this.hidden.add(name);
    } else {
      const alone = names.every((other) => this.hidden.has(other) === (other !== name));
      this.hidden = new Set(alone ? [] : names.filter((other) => other !== name));
    }
    const place = names.indexOf(name);
    this.redraw();
    this.legend.querySelectorAll("button")[place]?.focus();
  }
}

function seriesOf(frame: Frame, { panel }: Context): Series[] {
  return frame.fields
    .filter((field) => field.type === "number")
    .map((field, index) => {
      const settings = settingsOf(panel, field);
      const fixed = settings.color?.fixedColor;
      return {
        name: nameOf(field),
        colour: fixed === "text" ? theme().text : (fixed ?? PALETTE[index % PALETTE.length]!),
        settings,
        values: field.values as (number | null)[],
      };
    })
    .filter(({ settings }) => !settings.custom.hideFrom?.viz);
}

/** A series' colour as its line or area shows it. */
function mark(colour: string, { custom }: FieldSettings): HTMLElement {
  const node = swatch(colour, custom.lineStyle?.dash);
  if (custom.drawStyle === "points") node.classList.add("dot");
  const area = custom.drawStyle === "bars" || custom.fillBelowTo !== undefined;
  if (area) {
    node.classList.add("area");
    // So small an area must be denser, to be told from its neighbours.
    node.style.opacity = String(Math.min(1, (2 * (custom.fillOpacity ?? 80)) / 100));
  }
  return node;
}

function axisOf({ settings }: Series): number {
  const placement = settings.custom.axisPlacement;
  return placement === "hidden" ? 2 : placement === "right" ? 1 : 0;
}

function axes(all: Series[], colours: Theme): EChartsCoreOption[] {
  return [0, 1, 2].map((index) => {
    const first = all.find((series) => axisOf(series) === index);
    const settings: FieldSettings = first?.settings ?? { custom: {} };
    return {
      type: "value",
      show: first !== undefined && index < 2,
      position: index === 1 ? "right" : "left",
      ...(settings.min === undefined ? {} : { min: settings.min }),
      max: settings.max ?? (({ max }: { max: number }) => (max > 0 ? null : flat(settings))),
      ...(settings.min === undefined || settings.max === undefined
        ? {}
        : { interval: (settings.max - settings.min) / 4 }),
      splitNumber: 4,
      axisLine: { show: false },
      axisTick: { show: false },
      splitLine: { show: index === 0, lineStyle: { color: colours.grid } },
      axisLabel: {
        color: colours.muted,
        formatter: (value: number) => format.text(value, settings, true),
        ...FONT,
      },
    };
  });
}

/** The top of an axis on which everything is zero. */
function flat({ unit }: FieldSettings): number {
  return unit === "percentunit" ? 0.12 : 1;
}

function drawn(series: Series, shown: Series[], times: number[]): EChartsCoreOption[] {
  const { custom } = series.settings;
  const base = {
    name: series.name,
    yAxisIndex: axisOf(series),
    itemStyle: { color: series.colour },
    color: series.colour,
    emphasis: { disabled: true },
  };
  if (custom.drawStyle === "bars") return [{ ...base, ...bars(series, times) }];
  const lower = shown.find(({ name }) => name === custom.fillBelowTo);
  if (lower) return band(base, series, lower, times);
  if (shown.some((other) => other.settings.custom.fillBelowTo === series.name)) return [];
  return [{ ...base, ...line(series, times) }];
}

function bars({ colour, settings, values }: Series, times: number[]): EChartsCoreOption {
  const { barWidthFactor = 0.6, fillOpacity = 80, stacking } = settings.custom;
  return {
    type: "bar",
    data: times.map((at, index) => [at, values[index] ?? null]),
    barCategoryGap: `${Math.round((1 - barWidthFactor) * 100)}%`,
    barGap: "-100%",
    itemStyle: { color: colour, opacity: fillOpacity / 100 },
    ...(stacking?.mode === "normal" ? { stack: stacking.group ?? "A" } : {}),
    z: stacking?.mode === "normal" ? 2 : 1,
  };
}

function line({ colour, settings, values }: Series, times: number[]): EChartsCoreOption {
  const { custom } = settings;
  const points = withGaps(times, values, custom.insertNulls);
  const alone = isolated(points);
  const always = custom.showPoints === "always" || custom.drawStyle === "points";
  const size = custom.pointSize ?? 5;
  const width = custom.drawStyle === "points" ? 0 : (custom.lineWidth ?? 1);
  return {
    type: "line",
    data: points,
    connectNulls: custom.spanNulls === true,
    lineStyle: {
      color: colour,
      width,
      opacity: width === 0 ? 0 : 1,
      type: custom.lineStyle?.dash ?? "solid",
    },
    symbol: "circle",
    showSymbol: custom.showPoints !== "never",
    showAllSymbol: true,
    symbolSize: (_: unknown, { dataIndex }: { dataIndex: number }) =>
      always || alone[dataIndex] ? size : 0,
    ...((custom.fillOpacity ?? 0) > 0
      ? { areaStyle: { color: colour, opacity: custom.fillOpacity! / 100 } }
      : {}),
    z: 3 + (custom.lineWidth ?? 1) / 10,
  };
}

function band(
  base: object,
  upper: Series,
  lower: Series,
  times: number[],
): EChartsCoreOption[] {
  const common = {
    ...base,
    type: "line",
    stack: `band ${upper.name}`,
    stackStrategy: "all",
    symbol: "none",
    lineStyle: { opacity: 0 },
    z: 2,
  };
  const height = upper.values.map((value, index) => {
    const floor = lower.values[index];
    return value === null || floor == null ? null : value - floor;
  });
  const opacity = (upper.settings.custom.fillOpacity ?? 20) / 100;
  return [
    { ...common, data: times.map((at, index) => [at, lower.values[index] ?? null]) },
    {
      ...common,
      data: times.map((at, index) => [at, height[index] ?? null]),
      areaStyle: { color: upper.colour, opacity },
    },
  ];
}

/** Points with a gap wherever more time than `longest` passes between two of them. */
function withGaps(
  times: number[],
  values: (number | null)[],
  longest: boolean | number | undefined,
): Point[] {
  const points: Point[] = [];
  times.forEach((at, index) => {
    const before = times[index - 1];
    if (typeof longest === "number" && before !== undefined && at - before > longest) {
      points.push([before + 1, null]);
    }
    points.push([at, values[index] ?? null]);
  });
  return points;
}

/** Which points have no neighbour that a line could lead to. */
function isolated(points: Point[]): boolean[] {
  const known = (index: number) => (points[index]?.[1] ?? null) !== null;
  return points.map(
    (_, index) => known(index) && !known(index - 1) && !known(index + 1),
  );
}

function tip(
  found: unknown,
  shown: Series[],
  times: number[],
  { panel }: Context,
): HTMLElement | string {
  const [first] = found as { axisValue: number }[];
  if (!first) return "";
  const index = nearest(times, first.axisValue);
  const rows = shown
    .filter(({ settings }) => !settings.custom.hideFrom?.tooltip)
    .map((series) => ({ series, value: series.values[index] ?? null }))
    .filter(({ value }) => value !== null);
  if (panel.options?.tooltip?.sort === "desc" && !shown.some((one) => axisOf(one) === 2)) {
    rows.sort((a, b) => b.value! - a.value!);
  }
  return tooltipOf(
    when(times[index]!),
    rows.map(({ series, value }) => [
      mark(series.colour, series.settings),
      series.name,
      format.text(value, series.settings),
    ]),
  );
}

function nearest(times: number[], at: number): number {
  let best = 0;
  times.forEach((time, index) => {
    if (Math.abs(time - at) < Math.abs(times[best]! - at)) best = index;
  });
  return best;
}

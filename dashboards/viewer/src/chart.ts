// What the two charts over time share: a canvas that follows its panel's size, a time
// axis, a tooltip built of elements, and a span chosen by dragging.

import { element } from "./dom";
import { init, type ECharts, type EChartsCoreOption } from "./echarts";
import type { Theme } from "./theme";
import { ticks } from "./ticks";
import type { Span } from "./time";

export const FONT = { fontSize: 12, fontFamily: "inherit" };

export class Canvas {
  readonly chart: ECharts;
  private readonly box: HTMLElement;
  private readonly observer: ResizeObserver;
  private readonly selection = element("div", { class: "selection", hidden: true });
  private zoom: (span: Span) => void = () => undefined;

  /** `redraw` is called when the panel's width, and so the marks of its axis, change. */
  constructor(
    parent: HTMLElement,
    private readonly redraw: () => void,
  ) {
    this.box = element("div", { class: "canvas", role: "img" });
    parent.append(this.box);
    this.chart = init(this.box);
    this.box.append(this.selection);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.box);
    this.box.addEventListener("pointerdown", (event) => this.drag(event));
  }

  draw(option: EChartsCoreOption, label: string, zoom: (span: Span) => void): void {
    this.zoom = zoom;
    this.box.setAttribute("aria-label", label);
    this.chart.setOption(
      { animation: false, useUTC: true, textStyle: { fontFamily: "inherit" }, ...option },
      { notMerge: true },
    );
  }

  get width(): number {
    return this.chart.getWidth();
  }

  close(): void {
    this.observer.disconnect();
    this.chart.dispose();
  }

  private resize(): void {
    const before = this.width;
    this.chart.resize();
    if (this.width !== before) this.redraw();
  }

  private drag(down: PointerEvent): void {
    const frame = this.box.getBoundingClientRect();
    const start = down.clientX - frame.left;
    const inside = this.chart.containPixel("grid", [start, down.clientY - frame.top]);
    if (!inside || down.button !== 0 || down.pointerType === "touch") return;
    let end = start;
    const move = (event: PointerEvent) => {
      end = event.clientX - frame.left;
      this.selection.hidden = Math.abs(end - start) < 8;
      this.selection.style.left = `${Math.min(start, end)}px`;
      this.selection.style.width = `${Math.abs(end - start)}px`;
    };
    const up = () => {
      window.removeEventListener("pointermove", move);
      if (this.selection.hidden) return;
      this.selection.hidden = true;
      const at = (x: number) => Number(this.chart.convertFromPixel({ xAxisIndex: 0 }, x));
      const [from, to] = [at(Math.min(start, end)), at(Math.max(start, end))];
      if (to - from > 60_000) this.zoom({ from, to });
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up, { once: true });
  }
}

export const GRID = {
  left: 2,
  right: 10,
  top: 12,
  bottom: 2,
  outerBoundsMode: "same",
  outerBoundsContain: "axisLabel",
};

export function timeAxis(span: Span, width: number, theme: Theme): EChartsCoreOption {
  const { values, label } = ticks(span, width);
  return {
    type: "time",
    min: span.from,
    max: span.to,
    axisLine: { lineStyle: { color: theme.axis } },
    axisTick: { lineStyle: { color: theme.axis }, customValues: values },
    axisLabel: {
      color: theme.muted,
      customValues: values,
      formatter: label,
      hideOverlap: true,
      ...FONT,
    },
    splitLine: { show: false },
    axisPointer: { lineStyle: { color: theme.muted, type: "solid" } },
  };
}

export function tooltip(formatter: (found: unknown) => HTMLElement | string) {
  return {
    confine: true,
    className: "tooltip",
    backgroundColor: "transparent",
    borderWidth: 0,
    padding: 0,
    extraCssText: "box-shadow: none",
    transitionDuration: 0,
    formatter,
  };
}

/** A tooltip's title and rows of (mark, name, value). */
export function tooltipOf(title: string, rows: [Node, string, string][]): HTMLElement {
  return element(
    "div",
    { class: "tip" },
    element("div", { class: "tip-title" }, title),
    ...rows.map(([mark, name, value]) =>
      element(
        "div",
        { class: "tip-row" },
        mark,
        element("span", { class: "tip-name" }, name),
        element("span", { class: "tip-value" }, value),
      ),
    ),
  );
}

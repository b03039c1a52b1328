// A panel's frame: title, explanation, the figures as a table, and its state.

import * as api from "./api";
import { element } from "./dom";
import { markdown } from "./markdown";
import type { Answer, Frame, Panel } from "./model";
import { Ranking } from "./ranking";
import { Stat } from "./stat";
import { Table } from "./table";
import { describe, duration, isRelative, type Range, type Span, spanOf } from "./time";
import { Timeline } from "./timeline";
import { TimeSeries } from "./timeseries";
import type { View } from "./view";

const VIEWS: Record<string, new (parent: HTMLElement) => View> = {
  barchart: Ranking,
  stat: Stat,
  "state-timeline": Timeline,
  table: Table,
  timeseries: TimeSeries,
};
const CHARTS = new Set(["barchart", "state-timeline", "timeseries"]);
const EMPTY =
  "No published figures for this choice. Where too few people wrote, figures are withheld.";

export type State = "loading" | "ready" | "empty" | "error";

export type Question = {
  uid: string;
  range: Range;
  now: number;
  /** All variables, for texts. */
  values: Record<string, string>;
  /** The variables that drop-downs show, for queries. */
  chosen: Record<string, string>;
  signal: AbortSignal;
};

export class PanelFrame {
  readonly node: HTMLElement;
  private readonly body = element("div", { class: "body" });
  private readonly message = element("p", { class: "message", role: "status" });
  private view: View | null = null;
  private answer: { key: string; frame: Frame; span: Span } | null = null;
  private readonly badge = element("span", { class: "badge", hidden: true });
  private asTable = false;

  constructor(
    readonly panel: Panel,
    private readonly zoom: (span: Span) => void,
  ) {
    this.node = element("section", {
      class: `panel ${panel.type}`,
      id: `panel-${panel.id}`,
    });
    const { x, y, w, h } = panel.gridPos;
    this.node.style.gridColumn = `${x + 1} / span ${w}`;
    this.node.style.gridRow = `${y + 1} / span ${h}`;
    this.node.style.setProperty("--rows", String(h));
    if (panel.title) this.node.append(this.header(panel.title));
    this.node.append(this.message, this.body);
    this.become("loading", "Loading…");
  }

  /** Ask for this panel's figures and show them; when they were published. */
  async refresh(question: Question): Promise<string | null> {
    const { panel } = this;
    if (panel.type === "text") {
      this.body.replaceChildren(...markdown(panel.options?.content ?? "", question.values));
      this.become("ready");
      return null;
    }
    const range = this.range(question.range);
    const span = spanOf(range, question.now);
    this.badge.hidden = range === question.range;
    this.badge.textContent = describe(range);
    this.node.setAttribute("aria-busy", "true");
    try {
      const { uid, chosen, signal } = question;
      const answer = await api.panel(uid, panel.id, span, chosen, signal);
      this.take(answer, span);
      return answer.published_at;
    } catch (error) {
      if (question.signal.aborted) return null;
      this.fail(error);
      throw error;
    } finally {
      this.node.removeAttribute("aria-busy");
    }
  }

  /** Draw anew, in the colours of now. */
  redraw(): void {
    if (this.answer && this.view) this.draw(this.answer.frame, this.answer.span);
  }

  close(): void {
    this.view?.close();
    this.node.remove();
  }

  private range(range: Range): Range {
    const { timeFrom } = this.panel;
    if (!timeFrom || !isRelative(range) || duration(timeFrom) === 0) return range;
    return { from: `now-${timeFrom}`, to: "now" };
  }

  private take({ frame }: Answer, span: Span): void {
    const key = JSON.stringify([frame, span.to - span.from]);
    const moved = this.answer !== null && span.to - this.answer.span.to > 60_000;
    if (this.answer?.key === key && !moved && this.node.dataset["state"] === "ready") return;
    this.answer = { key, frame, span };
    if (isEmpty(frame)) {
      this.forget();
      this.become("empty", this.panel.fieldConfig?.defaults?.noValue ?? EMPTY);
      return;
    }
    this.become("ready", frame.truncated ? "Only the first 10,000 rows are shown." : "");
    this.draw(frame, span);
  }

  private draw(frame: Frame, span: Span): void {
    const wanted = this.asTable ? Table : (VIEWS[this.panel.type] ?? Table);
    if (!(this.view instanceof wanted)) {
      this.forget();
      this.view = new wanted(this.body);
    }
    this.view.show(frame, { panel: this.panel, span, zoom: this.zoom });
  }

  private fail(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.forget();
    this.answer = null;
    this.become("error", text);
  }

  private forget(): void {
    this.view?.close();
    this.view = null;
    this.body.replaceChildren();
  }

  private become(state: State, message = ""): void {
    this.node.dataset["state"] = state;
    this.message.textContent = message;
    this.message.hidden = message === "";
  }

  private header(title: string): HTMLElement {
    const heading = element("h2", { id: `title-${this.panel.id}` }, title);
    this.node.setAttribute("aria-labelledby", heading.id);
    const header = element("header", {}, heading, this.badge);
    const tools = element("div", { class: "tools" });
    if (CHARTS.has(this.panel.type)) tools.append(this.tableButton(title));
    if (this.panel.description) tools.append(...this.explanation(title));
    header.append(tools);
    return header;
  }

  private tableButton(title: string): HTMLElement {
    const button = element(
      "button",
      { type: "button", "aria-pressed": "false", title: "Show the figures as a table" },
      element("span", { class: "icon table-icon", "aria-hidden": "true" }),
      element("span", { class: "unseen" }, `Show ${title} as a table`),
    );
    button.addEventListener("click", () => {
      this.asTable = !this.asTable;
      button.setAttribute("aria-pressed", String(this.asTable));
      this.redraw();
    });
    return button;
  }

  private explanation(title: string): HTMLElement[] {
    const id = `about-${this.panel.id}`;
    const text = element("p", { id, class: "explanation", hidden: true });
    text.textContent = this.panel.description ?? "";
    const button = element(
      "button",
      { type: "button", "aria-expanded": "false", "aria-controls": id },
      element("span", { class: "icon", "aria-hidden": "true" }, "i"),
      element("span", { class: "unseen" }, `What ${title} shows`),
    );
    const open = (shown: boolean) => {
      text.hidden = !shown;
      button.setAttribute("aria-expanded", String(shown));
      if (shown) keepInSight(text);
    };
    button.addEventListener("click", () => open(text.hidden !== false));
    button.addEventListener("blur", () => open(false));
    button.addEventListener("keydown", (event) => {
      if (event.key === "Escape") open(false);
    });
    return [button, text];
  }
}

/** Move what hangs from its panel's right edge into the window. */
function keepInSight(node: HTMLElement): void {
  node.style.right = "";
  const hidden = 8 - node.getBoundingClientRect().left;
  if (hidden > 0) node.style.right = `${8 - hidden}px`;
}

function isEmpty(frame: Frame): boolean {
  const figures = frame.fields.filter(({ type }) => type !== "time");
  return figures.every(({ values }) => values.every((value) => value === null));
}

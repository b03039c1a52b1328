// The bar above the figures: tabs, drop-downs, time, refresh, age of the data.

import { element } from "./dom";
import type { Choice, Dashboard, Summary, Variable } from "./model";
import { age, describe, isValid, type Range } from "./time";

const QUICK = ["24h", "7d", "30d", "90d", "120d", "1y"];

export type Choices = {
  open: (uid: string) => void;
  pick: (name: string, value: string) => void;
  span: (range: Range) => void;
  refresh: () => void;
  every: (interval: string) => void;
};

export class Bar {
  private readonly tabs = element("nav", { "aria-label": "Dashboards" });
  private readonly selects = element("div", { class: "selects" });
  private readonly status = element("p", { class: "status" });
  private publishedAt: number | null = null;

  constructor(
    root: HTMLElement,
    private readonly choices: Choices,
  ) {
    const brand = element("p", { class: "brand" }, "groundswell");
    root.append(element("div", { class: "top" }, brand, this.tabs, this.status), this.selects);
    window.setInterval(() => this.tick(), 1000);
  }

  /** The tabs, one a dashboard. */
  name(summaries: Summary[], current: string): void {
    this.tabs.replaceChildren(
      ...summaries.map(({ uid, title, description }) => {
        const link = element("a", { href: `?dashboard=${uid}`, title: description }, title);
        if (uid === current) link.setAttribute("aria-current", "page");
        link.addEventListener("click", (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          this.choices.open(uid);
        });
        return link;
      }),
    );
  }

  /** The drop-downs, the time and the refresh of one dashboard. */
  offer(
    dashboard: Dashboard,
    options: Record<string, Choice[]>,
    values: Record<string, string>,
    range: Range,
    every: string,
    replaced: string[],
  ): void {
    const focused = document.activeElement?.id;
    const shown = dashboard.templating.list.filter(({ hide }) => (hide ?? 0) === 0);
    this.selects.replaceChildren(
      ...shown.map((variable) =>
        this.select(variable, options[variable.name] ?? [], values[variable.name] ?? ""),
      ),
      this.time(dashboard, range),
      this.refresh(dashboard, every),
      ...replaced.map((text) => element("p", { class: "replaced", role: "status" }, text)),
    );
    if (focused) document.getElementById(focused)?.focus();
  }

  /** When the figures shown were published; null while nothing is. */
  published(at: string | null): void {
    this.publishedAt = at === null ? null : Date.parse(at);
    this.tick();
  }

  /** What hinders the page; empty when nothing does. */
  trouble(text: string): void {
    this.status.classList.toggle("trouble", text !== "");
    this.status.dataset["trouble"] = text;
    this.tick();
  }

  private tick(): void {
    const trouble = this.status.dataset["trouble"] ?? "";
    if (trouble) this.status.textContent = trouble;
    else if (this.publishedAt === null) this.status.textContent = "";
    else this.status.textContent = `Published ${age(Date.now() - this.publishedAt)} ago`;
  }

  private select(variable: Variable, options: Choice[], value: string): HTMLElement {
    const select = element("select", { id: `var-${variable.name}` });
    for (const choice of options) {
      const option = element("option", { value: choice.value }, choice.text);
      option.selected = choice.value === value;
      select.append(option);
    }
    select.disabled = options.length === 0;
    select.title = variable.description ?? "";
    select.addEventListener("change", () => this.choices.pick(variable.name, select.value));
    return element("label", {}, element("span", {}, variable.label ?? variable.name), select);
  }

  private time(dashboard: Dashboard, range: Range): HTMLElement {
    const ahead = dashboard.time.to;
    const ranges = QUICK.map((back) => ({ from: `now-${back}`, to: ahead }));
    const select = element("select", { id: "time" });
    const chosen = ranges.find(({ from, to }) => from === range.from && to === range.to);
    if (!chosen) select.append(element("option", { value: "", selected: true }, describe(range)));
    for (const quick of ranges) {
      const option = element("option", { value: quick.from }, describe(quick));
      option.selected = quick === chosen;
      select.append(option);
    }
    select.append(element("option", { value: "custom" }, "From … to …"));
    const custom = this.custom(range);
    select.addEventListener("change", () => {
      if (select.value === "custom") custom.hidden = false;
      else if (select.value) this.choices.span({ from: select.value, to: ahead });
      if (!custom.hidden) custom.querySelector("input")?.focus();
    });
    const label = element("label", {}, element("span", {}, "Time (UTC)"), select);
    return element("div", { class: "time" }, label, custom);
  }

  private custom(range: Range): HTMLElement {
    const from = element("input", { type: "date", required: true, id: "from" });
    const to = element("input", { type: "date", required: true, id: "to" });
    if (!range.from.startsWith("now")) from.value = range.from.slice(0, 10);
    if (!range.to.startsWith("now")) to.value = range.to.slice(0, 10);
    const problem = element("p", { class: "problem", role: "alert", hidden: true });
    const form = element(
      "form",
      { class: "custom", hidden: true },
      element("label", {}, element("span", {}, "From"), from),
      element("label", {}, element("span", {}, "To, whole day"), to),
      element("button", { type: "submit" }, "Show"),
      problem,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = { from: `${from.value}T00:00:00Z`, to: `${to.value}T23:59:59Z` };
      problem.hidden = isValid(wanted);
      problem.textContent = "The first day must come before the last.";
      if (problem.hidden) this.choices.span(wanted);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") form.hidden = true;
    });
    return form;
  }

  private refresh(dashboard: Dashboard, every: string): HTMLElement {
    const select = element("select", { id: "every" });
    for (const interval of ["off", ...(dashboard.timepicker.refresh_intervals ?? [])]) {
      const option = element("option", { value: interval }, interval);
      option.selected = interval === every;
      select.append(option);
    }
    select.addEventListener("change", () => this.choices.every(select.value));
    const now = element("button", { type: "button", id: "now" }, "Refresh");
    now.addEventListener("click", () => this.choices.refresh());
    const label = element("label", {}, element("span", {}, "Refresh every"), select);
    return element("div", { class: "refresh" }, label, now);
  }
}

// The page: one dashboard at a time, its choices in the address, refreshed by itself.

import "./style.css";
import * as api from "./api";
import { Bar } from "./controls";
import { element } from "./dom";
import type { Dashboard, Summary, Variable, Variables } from "./model";
import { PanelFrame } from "./panel";
import { dark } from "./theme";
import { duration, isValid, plural, type Range, type Span, when } from "./time";

const RETRY_MS = 2_000;

class Page {
  private readonly bar: Bar;
  private readonly boards = new Map<string, Dashboard>();
  private summaries: Summary[] = [];
  private board: Dashboard | null = null;
  private frames: PanelFrame[] = [];
  private range: Range = { from: "now-90d", to: "now" };
  private given: Record<string, string> = {};
  private every = "10s";
  private replaced: string[] = [];
  private offered = "";
  private run = new AbortController();
  private timer = 0;

  constructor(
    bar: HTMLElement,
    private readonly content: HTMLElement,
  ) {
    this.bar = new Bar(bar, {
      open: (uid) => this.go({ uid }),
      pick: (name, value) => this.go({ given: { ...this.given, [name]: value } }),
      span: (range) => this.go({ range }),
      refresh: () => void this.refresh(),
      every: (every) => this.go({ every }),
    });
    window.addEventListener("popstate", () => void this.follow());
    dark.addEventListener("change", () => this.frames.forEach((frame) => frame.redraw()));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.refresh();
    });
  }

  /** Show what the page's address names. */
  async follow(): Promise<void> {
    try {
      if (this.summaries.length === 0) this.summaries = await api.dashboards();
      const query = new URLSearchParams(window.location.search);
      const uid = query.get("dashboard") ?? "";
      const known = this.summaries.find((summary) => summary.uid === uid);
      await this.open((known ?? this.summaries[0]!).uid);
      this.read(query);
      await this.refresh();
    } catch (error) {
      this.say("The viewer does not answer", message(error), "error");
      this.again(RETRY_MS, () => this.follow());
    }
  }

  private go(to: {
    uid?: string;
    given?: Record<string, string>;
    range?: Range;
    every?: string;
  }): void {
    const query = new URLSearchParams();
    const uid = to.uid ?? this.board?.uid ?? "";
    query.set("dashboard", uid);
    if (uid === this.board?.uid) {
      const range = to.range ?? this.range;
      query.set("from", range.from);
      query.set("to", range.to);
    }
    query.set("refresh", to.every ?? this.every);
    for (const [name, value] of Object.entries(to.given ?? this.given)) {
      query.set(`var-${name}`, value);
    }
    window.history.pushState(null, "", `?${query}`);
    void this.follow();
  }

  private async open(uid: string): Promise<void> {
    if (this.board?.uid === uid) return;
    const board = this.boards.get(uid) ?? (await api.dashboard(uid));
    this.boards.set(uid, board);
    this.board = board;
    this.offered = "";
    this.clear();
    document.title = `${board.title} · groundswell`;
    this.bar.name(this.summaries, uid);
  }

  private read(query: URLSearchParams): void {
    const board = this.board!;
    const wanted = {
      from: query.get("from") ?? board.time.from,
      to: query.get("to") ?? board.time.to,
    };
    this.range = isValid(wanted) ? wanted : board.time;
    const every = query.get("refresh") ?? board.refresh ?? "off";
    this.every = every === "off" || duration(every) >= 5_000 ? every : "10s";
    const names = new Set(board.templating.list.map(({ name }) => name));
    this.given = {};
    this.replaced = [];
    for (const [key, value] of query) {
      const name = key.replace(/^var-/, "");
      if (name !== key && names.has(name)) this.given[name] = value;
    }
  }

  private async refresh(): Promise<void> {
    const board = this.board;
    if (!board) return;
    window.clearTimeout(this.timer);
    this.run.abort();
    this.run = new AbortController();
    const { signal } = this.run;
    try {
      const found = await api.variables(board.uid, this.given, signal);
      if (signal.aborted) return;
      this.offer(board, found);
      await this.ask(board, found, signal);
      if (!signal.aborted && this.every !== "off") {
        this.again(duration(this.every), () => this.refresh());
      }
    } catch (error) {
      if (signal.aborted) return;
      this.fail(error);
      this.again(RETRY_MS, () => this.refresh());
    }
  }

  private offer(board: Dashboard, { values, options }: Variables): void {
    const shown = board.templating.list.filter(({ hide }) => (hide ?? 0) === 0);
    this.replaced.push(...replacements(shown, this.given, { values, options }));
    this.given = Object.fromEntries(
      shown
        .filter(({ name }) => (options[name] ?? []).length > 0)
        .map(({ name }) => [name, values[name] ?? ""]),
    );
    const key = JSON.stringify([
      board.uid,
      this.given,
      options,
      this.range,
      this.every,
      this.replaced,
    ]);
    if (key === this.offered) return;
    this.offered = key;
    this.bar.offer(board, options, values, this.range, this.every, this.replaced);
  }

  private async ask(
    board: Dashboard,
    { values }: Variables,
    signal: AbortSignal,
  ): Promise<void> {
    this.lay(board);
    const question = {
      uid: board.uid,
      range: this.range,
      now: Date.now(),
      values,
      chosen: this.given,
      signal,
    };
    const results = await Promise.allSettled(
      this.frames.map((frame) => frame.refresh(question)),
    );
    if (signal.aborted) return;
    const failed = results.filter(({ status }) => status === "rejected").length;
    const times = results.map((result) => (result.status === "fulfilled" ? result.value : null));
    const newest = times.filter((time) => time !== null).sort().at(-1);
    if (newest) this.bar.published(newest);
    this.bar.trouble(failed ? `${plural(failed, "panel")} failed, trying again` : "");
  }

  private lay(board: Dashboard): void {
    if (this.frames.length > 0) return;
    this.frames = board.panels.map((panel) => new PanelFrame(panel, (span) => this.zoom(span)));
    const nodes = this.frames.map(({ node }) => node);
    const title = element("h1", { class: "unseen" }, board.title);
    this.content.replaceChildren(title, element("div", { class: "grid" }, ...nodes));
  }

  private zoom({ from, to }: Span): void {
    const iso = (at: number) => new Date(at).toISOString().replace(/\.\d+/, "");
    this.go({ range: { from: iso(from), to: iso(to) } });
  }

  private fail(error: unknown): void {
    if (error instanceof api.Refusal && error.since) {
      this.bar.published(null);
      this.bar.trouble("");
      const since = when(Math.floor(error.since.getTime() / 60_000) * 60_000);
      const rest = "It fills by itself with the first publication.";
      this.say("Nothing published yet", `This page has been waiting since ${since}. ${rest}`, "empty");
    } else if (this.frames.length > 0) {
      this.bar.trouble(`${message(error)} Trying again.`);
    } else {
      this.say("No figures", message(error), "error");
    }
  }

  private say(title: string, text: string, state: string): void {
    this.clear();
    this.content.replaceChildren(
      element(
        "section",
        { class: "alone", role: "status", "data-state": state },
        element("h1", {}, title),
        element("p", {}, text),
      ),
    );
  }

  private clear(): void {
    this.frames.forEach((frame) => frame.close());
    this.frames = [];
  }

  private again(after: number, what: () => Promise<void>): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (document.hidden) this.again(after, what);
      else void what();
    }, after);
  }
}

/** What to say of values that were asked for and are none of a variable's options. */
function replacements(
  variables: Variable[],
  given: Record<string, string>,
  { values, options }: Variables,
): string[] {
  return variables
    .filter(({ name }) => name in given && given[name] !== values[name])
    .map(({ name, label }) => {
      const shown = options[name]?.find(({ value }) => value === values[name])?.text;
      const instead = shown === undefined ? "" : ` Shown is “${shown}” instead.`;
      return `${label ?? name}: there is no “${given[name]}” here.${instead}`;
    });
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const page = new Page(
  document.getElementById("bar")!,
  document.getElementById("content")!,
);
void page.follow();

// Times as Grafana writes them ("now-90d"), and as people read them. All in UTC.

const UNITS: Record<string, number> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};
const WORDS: Record<string, string> = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  M: "month",
  y: "year",
};
export const DAY = 86_400_000;

export type Range = { from: string; to: string };
export type Span = { from: number; to: number };

/** Milliseconds of "10s" or "48h"; 0 for what is no duration. */
export function duration(text: string): number {
  const match = /^(\d+)([smhdwMy])$/.exec(text);
  return match ? Number(match[1]) * (UNITS[match[2]!] ?? 0) : 0;
}

/** The moment that "now", "now-90d", "now+8d" or an ISO time means; NaN for none. */
export function moment(text: string, now: number): number {
  if (text === "now") return now;
  const match = /^now([+-])(\d+[smhdwMy])$/.exec(text);
  if (match) return now + (match[1] === "+" ? 1 : -1) * duration(match[2]!);
  return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
}

export function isRelative(range: Range): boolean {
  return range.from.startsWith("now") && range.to.startsWith("now");
}

export function isValid(range: Range): boolean {
  return moment(range.from, Date.now()) < moment(range.to, Date.now());
}

export function spanOf(range: Range, now: number): Span {
  return {
    from: Math.max(0, Math.round(moment(range.from, now))),
    to: Math.round(moment(range.to, now)),
  };
}

/** "Last 90 days", "Last 90 days and next 8", or two dates. */
export function describe(range: Range): string {
  const back = /^now-(\d+)([smhdwMy])$/.exec(range.from);
  if (back && isRelative(range)) {
    const last = `Last ${plural(Number(back[1]), WORDS[back[2]!]!)}`;
    const ahead = /^now\+(\d+)([smhdwMy])$/.exec(range.to);
    return ahead ? `${last}, next ${plural(Number(ahead[1]), WORDS[ahead[2]!]!)}` : last;
  }
  return `${readable(range.from)} to ${readable(range.to)}`;
}

function readable(text: string): string {
  return text.startsWith("now") ? text : text.slice(0, 16).replace("T", " ");
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

const DATE = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
});
const CLOCK = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  hour: "2-digit",
  minute: "2-digit",
});

/** "Tue, 17 Nov 2026", with the time of day if it is not midnight. */
export function when(at: number): string {
  const day = DATE.format(at);
  return at % DAY === 0 ? day : `${day}, ${CLOCK.format(at)} UTC`;
}

export function isoDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** "34 s", "2 min", "3 h" or "5 days". */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return plural(Math.round(seconds / 86_400), "day");
}

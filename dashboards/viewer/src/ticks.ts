// Where a time axis has its marks: round hours, days, Mondays or firsts of a month.

import { DAY, type Span } from "./time";

const HOUR = DAY / 24;
const MONDAY = 4 * DAY;
const SPACE_PX = 76;

const CLOCK = format({ hour: "2-digit", minute: "2-digit" });
const DATE = format({ day: "numeric", month: "short" });
const MONTH = format({ month: "short", year: "numeric" });

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
}

export type Ticks = { values: number[]; label: (at: number) => string };

/** The marks of an axis over `span` that is `width` pixels wide. */
export function ticks(span: Span, width: number): Ticks {
  const most = Math.max(2, Math.floor(width / SPACE_PX));
  const least = (span.to - span.from) / most;
  const step = [1, 3, 6, 12, 24, 48].map((hours) => hours * HOUR).find((one) => one >= least);
  if (step) return { values: every(span, step, 0), label: step < DAY ? clock : (at) => DATE.format(at) };
  const weeks = [1, 2].find((count) => count * 7 * DAY >= least);
  if (weeks) {
    return { values: every(span, weeks * 7 * DAY, MONDAY), label: (at) => DATE.format(at) };
  }
  const months = [1, 3, 6, 12].find((count) => count * 30 * DAY >= least) ?? 12;
  return { values: firsts(span, months), label: (at) => MONTH.format(at) };
}

function clock(at: number): string {
  return at % DAY === 0 ? DATE.format(at) : CLOCK.format(at);
}

function every({ from, to }: Span, step: number, phase: number): number[] {
  const first = Math.ceil((from - phase) / step) * step + phase;
  const count = Math.max(0, Math.floor((to - first) / step) + 1);
  return Array.from({ length: count }, (_, index) => first + index * step);
}

function firsts({ from, to }: Span, months: number): number[] {
  const start = new Date(from);
  const values: number[] = [];
  let month = start.getUTCFullYear() * 12 + start.getUTCMonth();
  for (; ; month += 1) {
    const at = Date.UTC(Math.floor(month / 12), month % 12, 1);
    if (at > to) return values;
    if (at >= from && month % months === 0) values.push(at);
  }
}

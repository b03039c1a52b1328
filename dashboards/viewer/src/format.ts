// Values as Grafana's units write them, their texts and their colours.

import type { Cell, FieldSettings } from "./model";
import { age, isoDay, when } from "./time";

const LOCALE = new Intl.NumberFormat("en");

/** The text of a value; `axis` leaves out digits that only clutter an axis. */
export function text(value: Cell, settings: FieldSettings, axis = false): string {
  if (value === null) return "–";
  const mapped = mapping(value, settings)?.text;
  if (mapped !== undefined) return mapped;
  if (typeof value !== "number") return String(value);
  switch (settings.unit) {
    case "percentunit":
      return percent(value, settings.decimals, axis);
    case "s":
      return age(value * 1000);
    case "locale":
      return LOCALE.format(Math.round(value));
    case "dateTimeFromNow":
      return `${age(Date.now() - value)} ago`;
    case "bool_yes_no":
      return value ? "yes" : "no";
    case "time:YYYY-MM-DD":
      return isoDay(value);
    default:
      return plain(value, settings.decimals);
  }
}

function percent(value: number, decimals: number | undefined, axis: boolean): string {
  const share = value * 100;
  if (share === 0) return "0 %";
  if (decimals !== undefined && !axis) return `${share.toFixed(decimals)} %`;
  if (axis) return `${Number(share.toFixed(2))} %`;
  const digits = share !== 0 && Math.abs(share) < 1 ? 2 : 1;
  return `${share.toFixed(digits)} %`;
}

function plain(value: number, decimals: number | undefined): string {
  if (decimals !== undefined) return value.toFixed(decimals);
  return LOCALE.format(Number(value.toPrecision(4)));
}

/** The text of a time, whole days without the time of day. */
export function time(value: Cell, settings: FieldSettings): string {
  if (typeof value !== "number") return "–";
  return settings.unit?.startsWith("time:") ? text(value, settings) : when(value);
}

function mapping(value: Cell, settings: FieldSettings) {
  for (const { type, options } of settings.mappings ?? []) {
    if (type === "value" && options[String(value)]) return options[String(value)];
  }
  return undefined;
}

/** The colour that a mapping or a threshold gives a value; null for the text's own. */
export function colour(value: Cell, settings: FieldSettings): string | null {
  const mapped = mapping(value, settings)?.color;
  if (mapped) return mapped;
  if (settings.color?.mode !== "thresholds" || typeof value !== "number") return null;
  let found: string | null = null;
  for (const step of settings.thresholds?.steps ?? []) {
    if (step.value === null || value >= step.value) found = step.color;
  }
  return found === "text" ? null : found;
}

// The parts of Grafana's dashboard JSON that the viewer understands, and what the
// server answers.

export type Mapping = {
  type: "value";
  options: Record<string, { text?: string; color?: string }>;
};

export type FieldSettings = {
  unit?: string;
  decimals?: number;
  min?: number;
  max?: number;
  noValue?: string;
  mappings?: Mapping[];
  thresholds?: { steps: { value: number | null; color: string }[] };
  color?: { mode: string; fixedColor?: string };
  custom: Custom;
};

export type Custom = {
  drawStyle?: "line" | "bars" | "points";
  lineWidth?: number;
  lineStyle?: { fill?: string; dash?: number[] };
  fillOpacity?: number;
  fillBelowTo?: string;
  showPoints?: "auto" | "never" | "always";
  pointSize?: number;
  spanNulls?: boolean | number;
  insertNulls?: boolean | number;
  stacking?: { mode?: string; group?: string };
  axisPlacement?: "auto" | "left" | "right" | "hidden";
  axisLabel?: string;
  barWidthFactor?: number;
  hideFrom?: { legend?: boolean; tooltip?: boolean; viz?: boolean };
  cellOptions?: { type?: string };
};

export type Override = {
  matcher: { id: string; options?: unknown };
  properties: { id: string; value?: unknown }[];
};

export type Panel = {
  id: number;
  type: string;
  title?: string;
  description?: string;
  transparent?: boolean;
  timeFrom?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: unknown[];
  options?: {
    content?: string;
    graphMode?: string;
    legend?: { showLegend?: boolean };
    tooltip?: { sort?: string };
  };
  fieldConfig?: { defaults?: Partial<FieldSettings>; overrides?: Override[] };
};

export type Variable = {
  name: string;
  label?: string;
  description?: string;
  hide?: number;
  type: string;
};

export type Dashboard = {
  uid: string;
  title: string;
  description?: string;
  refresh?: string;
  time: { from: string; to: string };
  timepicker: { refresh_intervals?: string[] };
  templating: { list: Variable[] };
  panels: Panel[];
};

export type Summary = { uid: string; title: string; description: string };
export type Choice = { text: string; value: string };
export type Variables = {
  values: Record<string, string>;
  options: Record<string, Choice[]>;
};

export type Cell = number | string | boolean | null;
export type Field = {
  name: string;
  type: "time" | "number" | "string" | "boolean";
  values: Cell[];
  labels?: Record<string, string>;
};
export type Frame = { fields: Field[]; truncated: boolean };
export type Answer = { published_at: string; frame: Frame };

/** What Grafana calls a column: its name, or the one label that sets it apart. */
export function nameOf(field: Field): string {
  const labels = Object.values(field.labels ?? {});
  if (labels.length === 0) return field.name;
  return field.name === "Value" ? labels.join(" ") : [field.name, ...labels].join(" ");
}

/** A column's settings: the panel's own, and what is overridden for its name. */
export function settingsOf(panel: Panel, field: Field): FieldSettings {
  const defaults = panel.fieldConfig?.defaults ?? {};
  const settings: FieldSettings = { ...defaults, custom: { ...defaults.custom } };
  for (const override of panel.fieldConfig?.overrides ?? []) {
    const matches =
      override.matcher.id === "byName" && override.matcher.options === nameOf(field);
    if (matches) for (const { id, value } of override.properties) set(settings, id, value);
  }
  return settings;
}

function set(settings: FieldSettings, id: string, value: unknown): void {
  if (id.startsWith("custom.")) {
    Object.assign(settings.custom, { [id.slice("custom.".length)]: value });
  } else {
    Object.assign(settings, { [id]: value });
  }
}

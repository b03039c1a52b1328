// The page's colours, for what CSS does not draw.

export type Theme = {
  text: string;
  muted: string;
  grid: string;
  axis: string;
  panel: string;
};

export const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function theme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: of("--text"),
    muted: of("--muted"),
    grid: of("--grid"),
    axis: of("--axis"),
    panel: of("--panel"),
  };
}

/** For series without a colour of their own; apart for colour-blind readers too. */
export const PALETTE = [
  "#1966FC",
  "#C9932E",
  "#53A0A3",
  "#AD4273",
  "#387B03",
  "#6B68A5",
  "#E0180C",
  "#F067D0",
];

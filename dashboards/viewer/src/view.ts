// What every kind of panel is to the page: something that shows a frame.

import type { Frame, Panel } from "./model";
import type { Span } from "./time";

export type Context = {
  panel: Panel;
  span: Span;
  zoom: (span: Span) => void;
};

export interface View {
  /** Show `frame`; called again with newer figures, and when colours change. */
  show(frame: Frame, context: Context): void;
  close(): void;
}

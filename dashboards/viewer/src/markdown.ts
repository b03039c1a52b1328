// The little Markdown that text panels use: paragraphs, quotes, bold, italics.

import { element } from "./dom";

/** `source` as elements; `${name}` becomes the variable's value, as text. */
export function markdown(source: string, values: Record<string, string>): Node[] {
  return source
    .trim()
    .split(/\n{2,}/)
    .map((block) => {
      const quoted = block.startsWith("> ");
      const text = block.replace(/^> ?/gm, "").replace(/\n/g, " ");
      const paragraph = element("p", {}, ...inline(text, values));
      return quoted ? element("blockquote", {}, paragraph) : paragraph;
    });
}

function inline(text: string, values: Record<string, string>): (Node | string)[] {
  return text
    .split(/(\*\*[^*]+\*\*|\*[^*]+\*)/)
    .filter((part) => part !== "")
    .map((part) => {
      if (part.startsWith("**")) return element("strong", {}, filled(part.slice(2, -2), values));
      if (part.startsWith("*")) return element("em", {}, filled(part.slice(1, -1), values));
      return filled(part, values);
    });
}

function filled(text: string, values: Record<string, string>): string {
  return text.replace(/\$\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

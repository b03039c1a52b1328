// Small helpers to build the page without HTML strings.

type Attributes = Record<string, string | boolean>;

/** An element with attributes and children; texts are texts, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** A small coloured square; shapes say the same a second time. */
export function swatch(colour: string, dash?: number[]): HTMLElement {
  const node = element("span", { class: "swatch", "aria-hidden": "true" });
  node.style.backgroundColor = colour;
  if (dash) {
    node.classList.add(dash[0]! > 4 ? "dashed" : "dotted");
    node.style.backgroundColor = "transparent";
    node.style.borderColor = colour;
  }
  return node;
}

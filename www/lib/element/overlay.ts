// The slices over the picture: veiled until they are encoded, with lines between them.

import type { Layout } from "../protocol.gen.js";

const SVG = "http://www.w3.org/2000/svg";

/** Draws the grid of `layout` into `svg`, and nothing where there is none. */
export function drawGrid(svg: SVGSVGElement, layout: Layout | undefined): void {
  svg.replaceChildren();
  if (!layout) return;
  const { width, height } = layout;
  const [across, down] = [Math.max(layout.columns, 1), Math.max(layout.rows, 1)];
  const [w, h] = [width / across, height / down];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const cells = Array.from({ length: across * down }, (_, i) => ({ x: (i % across) * w, y: Math.floor(i / across) * h, width: w, height: h }));
  for (const cell of cells) svg.append(shape("rect", cell));
  const verticals = Array.from({ length: across - 1 }, (_, i) => `M${(i + 1) * w} 0V${height}`);
  const horizontals = Array.from({ length: down - 1 }, (_, i) => `M0 ${(i + 1) * h}H${width}`);
  const d = [...verticals, ...horizontals].join("");
  // A dark line under a light one: it is seen on any picture.
  if (d !== "") svg.append(shape("path", { d, class: "under" }), shape("path", { d, class: "over" }));
}

/** Unveils the first `encoded` slices. */
export function lightGrid(svg: SVGSVGElement, encoded: number): void {
  for (const [i, cell] of svg.querySelectorAll("rect").entries()) cell.classList.toggle("seen", i < encoded);
}

function shape(name: "rect" | "path", attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

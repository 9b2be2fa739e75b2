// The picture, with its slices laid over it.

import type { Layout } from "loupe-vlm";
import { byId, tell } from "./dom.js";
import { layoutInWords } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

const intake = byId("intake", HTMLElement);
const figure = byId("figure", HTMLElement);
const frame = byId("frame", HTMLElement);
const image = byId("picture", HTMLImageElement);
const grid = byId("grid", SVGSVGElement);
const caption = byId("caption", HTMLElement);
const problem = byId("picture-error", HTMLElement);
const showGrid = byId("show-grid", HTMLInputElement);

showGrid.addEventListener("change", () => grid.classList.toggle("bare", !showGrid.checked));

/** The rectangles that light up, in the order in which they are encoded: the slices row by row, then the overview. */
let cells: SVGRectElement[] = [];

/**
 * Shows the picture and how it was cut. Called only once the runtime has accepted the picture: a browser that is asked to
 * draw 400 million pixels may take the page down with it.
 */
export function show(file: Blob, layout: Layout): void {
  clear();
  image.src = URL.createObjectURL(file);
  image.alt = file instanceof File && file.name ? `The picture ${file.name}` : "The picture you gave";
  image.width = layout.width;
  image.height = layout.height;
  frame.style.setProperty("--ratio", String(layout.width / layout.height));
  caption.textContent = layoutInWords(layout);
  draw(layout);
  figure.hidden = false;
  intake.hidden = true;
}

/** `done` of the views are encoded. */
export function light(done: number): void {
  for (const cell of cells.slice(0, done)) cell.classList.add("seen");
  // The overview is the whole picture: it has no cell, and is the last to be encoded.
}

/** Back to the empty place where a picture is dropped, with a sentence that says why, if there is one. */
export function clear(message = ""): void {
  tell(problem, message);
  if (image.src) URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  grid.replaceChildren();
  cells = [];
  figure.hidden = true;
  intake.hidden = false;
}

function draw({ columns, rows, width, height }: Layout): void {
  grid.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const across = Math.max(columns, 1);
  const down = Math.max(rows, 1);
  const [w, h] = [width / across, height / down];
  cells = Array.from({ length: across * down }, (_, i) =>
    shape("rect", { x: (i % across) * w, y: Math.floor(i / across) * h, width: w, height: h }),
  );
  const verticals = Array.from({ length: across - 1 }, (_, i) => `M${(i + 1) * w} 0V${height}`);
  const horizontals = Array.from({ length: down - 1 }, (_, i) => `M0 ${(i + 1) * h}H${width}`);
  const d = [...verticals, ...horizontals].join("");
  const lines = d ? [shape("path", { d, class: "under" }), shape("path", { d, class: "over" })] : [];
  grid.replaceChildren(...cells, ...lines);
}

function shape<K extends "rect" | "path">(name: K, attributes: Record<string, string | number>): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

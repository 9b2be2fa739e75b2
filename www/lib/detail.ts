// How closely a picture is looked at.

import { LoupeError } from "./error.js";

/**
 * `"high"`, which is meant unless told otherwise, cuts a picture into as many slices as its model was made for; `"low"` sees it whole,
 * at the least cost; `{ maxSlices }` cuts it into at most so many. `"auto"` is OpenAI's word for leaving it to the model: `"high"`.
 */
export type Detail = "low" | "auto" | "high" | { readonly maxSlices: number };

/** The most slices to cut a picture into; undefined for as many as the model was made for. */
export function slicesOf(detail: Detail | undefined): number | undefined {
  if (detail === undefined || detail === "auto" || detail === "high") return undefined;
  if (detail === "low") return 0;
  const { maxSlices } = Object(detail) as { maxSlices?: unknown };
  if (Number.isInteger(maxSlices) && (maxSlices as number) >= 0) return Math.min(maxSlices as number, 2 ** 31);
  const given = typeof detail === "string" ? detail : JSON.stringify(detail);
  throw new LoupeError("usage", `"${given}" is no detail; there are low, auto, high and { maxSlices: a whole number }.`);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Three significant digits, without an exponent. */
export function digits(value) {
  if (!Number.isFinite(value)) return "–";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(places, 4));
}

/** Median with the least and the most of what was measured. */
export function spread(values) {
  if (values.length === 0) return "–";
  const middle = digits(median(values));
  return values.length === 1 ? middle : `${middle} (${digits(Math.min(...values))}–${digits(Math.max(...values))})`;
}

/** A share as a percentage. */
export function percent(share) {
  return Number.isFinite(share) ? `${digits(share * 100)} %` : "–";
}

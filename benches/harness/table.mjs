/** A section with a table, the first column to the left; nothing where there are no rows. */
export function table(title, columns, rows, note) {
  if (rows.length === 0) return undefined;
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const body = [line(columns), line(columns.map((_, i) => (i ? "--:" : "---"))), ...rows.map(line)].join("\n");
  return [`## ${title}`, note, body].filter(Boolean).join("\n\n");
}

// The documentation: guides in Markdown and the reference, put into the frame that was built like any other page.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Marked, type Tokens } from "marked";
import { escape, highlight } from "./highlight.js";
import { entries, type Entry } from "./reference.js";

const ROOT = join(import.meta.dirname, import.meta.dirname.endsWith("docs") ? "../.." : "..");

/** A page of the site. */
interface Page {
  readonly file: string;
  readonly title: string;
  readonly body: () => string;
}

const PAGES: readonly Page[] = [
  { file: "docs.html", title: "Start", body: () => markdown(guide("start")) },
  { file: "docs-recipes.html", title: "Recipes", body: () => markdown(guide("recipes")) },
  { file: "docs-package.html", title: "The package", body: () => markdown(readFileSync(join(ROOT, "pkg/README.md"), "utf8")) },
  { file: "docs-reference.html", title: "Reference", body: () => reference(entries(join(ROOT, "pkg"))) },
];

/** Writes the pages into a built page's folder, in the place of their frame. */
export function writeDocs(dist: string): void {
  const frame = readFileSync(join(dist, "docs.html"), "utf8");
  rmSync(join(dist, "docs.html"));
  for (const { file, title, body } of PAGES) {
    const links = PAGES.map((page) => `<a href="./${page.file}"${page.file === file ? ' aria-current="page"' : ""}>${page.title}</a>`);
    const html = frame
      .replace("<title>Loupe</title>", `<title>${title}: Loupe</title>`)
      .replace("<!--pages-->", () => links.join("\n        "))
      .replace("<!--content-->", body);
    writeFileSync(join(dist, file), html);
  }
}

function guide(name: string): string {
  return readFileSync(join(ROOT, `docs/guide/${name}.md`), "utf8");
}

/** Markdown as HTML, with an anchor for each heading, named as GitHub names it. */
function markdown(text: string): string {
  const marked = new Marked({
    renderer: {
      code: ({ text, lang = "" }: Tokens.Code) => codeBlock(/^(ts|html|js|json)/.test(lang) ? highlight(text) : escape(text)),
      heading({ tokens, depth, text }: Tokens.Heading) {
        const slug = text.toLowerCase().replace(/[^\w\s-]/g, "").trim().replace(/\s+/g, "-");
        return `<h${depth} id="${slug}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
    },
  });
  return marked.parse(text, { async: false });
}

/** Code that can be scrolled to its end, by keyboard too. */
function codeBlock(html: string): string {
  return `<pre tabindex="0"><code>${html}</code></pre>\n`;
}

function reference(all: readonly Entry[]): string {
  // What several modules hand on is shown once.
  const home = new Map<string, string>();
  for (const { symbols } of all) for (const { name } of symbols) if (!home.has(name)) home.set(name, `#${name}`);
  const shown = new Set<string>();
  const sections = all.map(({ name, doc, symbols }) => {
    const fresh = symbols.filter((symbol) => !shown.has(symbol.name));
    for (const symbol of fresh) shown.add(symbol.name);
    const parts = fresh.map((symbol) => {
      const link = (word: string): string | undefined => (word === symbol.name ? undefined : home.get(word));
      return `<section class="symbol" id="${symbol.name}"><h3>${symbol.name}</h3>\n${markdown(symbol.doc)}${codeBlock(highlight(symbol.code, link))}</section>`;
    });
    const list = fresh.map(({ name }) => `<li><a href="#${name}">${name}</a></li>`).join("");
    const slug = name.replace(/\W/g, "-");
    return `<h2 id="${slug}"><code>${name}</code></h2>\n${markdown(doc)}<ul class="symbols">${list}</ul>\n${parts.join("\n")}`;
  });
  return `<h1>Reference</h1>\n<p>Everything that the package exports, by the modules it is imported from.</p>\n${sections.join("\n")}`;
}

// Code in colours: TypeScript and HTML, by their tokens alone.

const KEYWORDS =
  "abstract|as|async|await|break|class|const|continue|declare|default|else|export|extends|false|for|from|function|get|if|import|in|" +
  "infer|interface|is|keyof|let|new|null|of|private|readonly|return|set|static|this|throw|true|try|type|typeof|undefined|using|var|void|while";

/** What is told apart: comments, texts, keywords, numbers, and names. */
const TOKEN = new RegExp(
  [
    String.raw`(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->)`,
    String.raw`(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|` + "`(?:[^`\\\\]|\\\\.)*`)",
    String.raw`(?<keyword>(?<![\w.])(?:${KEYWORDS})(?!\w))`,
    String.raw`(?<name>[A-Za-z_$][\w$]*)`,
  ].join("|"),
  "g",
);

/** Text as HTML. */
export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c);
}

/** Code as HTML; `link` may lead from a name to somewhere. */
export function highlight(code: string, link: (name: string) => string | undefined = () => undefined): string {
  let [html, at] = ["", 0];
  for (const match of code.matchAll(TOKEN)) {
    const [token] = match;
    html += escape(code.slice(at, match.index));
    at = match.index + token.length;
    const kind = Object.entries(match.groups ?? {}).find(([, found]) => found !== undefined)?.[0] ?? "";
    const address = kind === "name" ? link(token) : undefined;
    if (address) html += `<a href="${address}">${token}</a>`;
    else html += kind === "name" ? token : `<span class="${kind}">${escape(token)}</span>`;
  }
  return html + escape(code.slice(at));
}

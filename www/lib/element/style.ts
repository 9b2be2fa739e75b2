// The element's looks. Colours follow the page's `color-scheme`; custom properties and parts change them from outside.

/** Adopted by the shadow, which no `style-src` forbids. */
export const STYLE = `
:host {
  --paper: var(--loupe-paper, light-dark(#fff, #1f1f1c));
  --ink: var(--loupe-ink, light-dark(#1e1d1a, #edeae3));
  --quiet: var(--loupe-quiet, light-dark(#625f57, #a8a399));
  --line: var(--loupe-line, light-dark(#dedad1, #3a3934));
  --accent: var(--loupe-accent, light-dark(#0b6b5d, #6fd3c0));
  --accent-ink: var(--loupe-accent-ink, light-dark(#fff, #0d2420));
  --wash: var(--loupe-wash, light-dark(#e3efec, #1c312d));
  --wrong: var(--loupe-wrong, light-dark(#a3301b, #ff9c86));
  --radius: var(--loupe-radius, 14px);
  display: block;
  container-type: inline-size;
  box-sizing: border-box;
  padding: 1rem;
  border: 1px solid var(--line);
  border-radius: calc(var(--radius) + 6px);
  background: var(--paper);
  color: var(--ink);
  font: 400 1rem/1.5 system-ui, sans-serif;
  accent-color: var(--accent);
}
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
p, ol { margin: 0; padding: 0; }
ol { list-style: none; }

.desk { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.25rem; }
.stage, .talk { min-width: 0; }
.talk { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.75rem; align-content: end; }
@container (min-width: 44rem) {
  .desk { grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr); gap: 1.75rem; }
}

.dropzone {
  display: grid;
  gap: 0.35rem;
  place-content: center;
  justify-items: center;
  min-height: 15rem;
  height: 100%;
  padding: 1.5rem;
  border: 1.5px dashed var(--line);
  border-radius: var(--radius);
  color: var(--quiet);
  text-align: center;
}
.dropzone button { margin-top: 0.6rem; }
.lead { color: var(--ink); font-size: 1.375rem; font-weight: 600; letter-spacing: -0.01em; }
:host(:state(dragging)) .dropzone, :host(:state(dragging)) .frame { outline: 3px solid var(--accent); outline-offset: 2px; }

/* As wide as there is room, unless that makes it too tall; \`--ratio\` is width by height. */
figure { padding: 0; margin-block: 0; width: min(100%, 26rem * var(--ratio, 1)); margin-inline: auto; }
.frame {
  position: relative;
  border-radius: var(--radius);
  overflow: hidden;
  box-shadow: 0 0 0 1px var(--line);
}
canvas, ::slotted(img), ::slotted(video), ::slotted(canvas) { display: block; width: 100% !important; height: auto !important; }
svg { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
rect { fill: var(--paper); fill-opacity: 0.72; transition: fill-opacity 0.5s ease-out; }
rect.seen { fill-opacity: 0; }
path { fill: none; vector-effect: non-scaling-stroke; }
.under { stroke: #000; stroke-opacity: 0.35; stroke-width: 4; }
.over { stroke: #fff; stroke-width: 2; }
figcaption {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: 0 1.25rem;
  margin-top: 0.6rem;
  color: var(--quiet);
  font-size: 0.875rem;
}

.turns { display: grid; gap: 1.25rem; }
.turns:empty { display: none; }
.turn { display: grid; gap: 0.5rem; }
.question {
  justify-self: end;
  max-width: 88%;
  padding: 0.4rem 0.9rem;
  border-radius: 1.1rem 1.1rem 0.25rem 1.1rem;
  background: var(--wash);
  overflow-wrap: anywhere;
}
.answer { font-size: 1.25rem; line-height: 1.35; overflow-wrap: anywhere; white-space: pre-wrap; min-height: 1.35em; }
.answer.busy::after {
  content: "";
  display: inline-block;
  width: 0.5em;
  height: 0.5em;
  margin-left: 0.25em;
  border-radius: 50%;
  background: var(--accent);
  animation: pulse 1.1s ease-in-out infinite alternate;
}
@keyframes pulse { to { opacity: 0.25; } }

.status { display: grid; gap: 0.35rem; color: var(--quiet); font-size: 0.875rem; font-variant-numeric: tabular-nums; }
progress { appearance: none; width: 100%; height: 6px; border: 0; border-radius: 3px; overflow: hidden; background: var(--line); }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
.error { color: var(--wrong); font-weight: 500; }
.error:empty, .meter:empty { display: none; }
.meter { color: var(--quiet); font-size: 0.8125rem; font-variant-numeric: tabular-nums; }

form { display: flex; gap: 0.5rem; }
input[type="text"], ::slotted([slot="input"]) { flex: 1; min-width: 0; }
input[type="text"] {
  min-height: 2.75rem;
  padding: 0 1.1rem;
  border: 1px solid var(--quiet);
  border-radius: 999px;
  background: transparent;
  color: inherit;
  font: inherit;
}
input::placeholder { color: var(--quiet); opacity: 1; }
button {
  min-height: 2.75rem;
  padding: 0.3rem 1.15rem;
  border: 1px solid var(--accent);
  border-radius: 999px;
  background: transparent;
  color: var(--accent);
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
button:hover { background: var(--wash); }
button.main { min-width: 5.25rem; background: var(--accent); color: var(--accent-ink); }
button.main:hover { filter: brightness(1.08); }
button.link { min-height: 1.5rem; padding: 0; border: 0; border-radius: 4px; font-weight: 500; text-decoration: underline; text-underline-offset: 0.2em; }
button.link:hover { background: none; }
button:disabled, input:disabled { opacity: 0.55; cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }

.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation: none !important; transition: none !important; }
}
`;

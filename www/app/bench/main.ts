// The page that measures: one button, a table, a file.

import { LoupeError, type Device } from "loupe-vlm";
import { announce, byId, tell } from "../dom.js";
import picture from "../samples/mixed.png?url";
import { count, duration, engineInWords, runsInWords } from "../words.js";
import { measure, median, type Measure, type Report } from "./measure.js";

const run = byId("run", HTMLButtonElement);
const save = byId("save", HTMLButtonElement);
const words = byId("status", HTMLElement);
const bar = byId("loading-bar", HTMLProgressElement);
const problem = byId("error", HTMLElement);
const rows = byId("rows", HTMLTableSectionElement);
const devices = byId("wish", HTMLFormElement).elements.namedItem("device") as RadioNodeList;

const NAMES: Readonly<Record<Measure["name"], string>> = {
  load: "Loading",
  look: "Looking",
  read: "Reading",
  first: "First word",
  answer: "Answering",
};

const UNITS: Readonly<Record<Measure["name"], string>> = { load: "", look: "", read: " tokens a second", first: "", answer: " tokens a second" };

/** Fetched with the page, so that looking at it later asks for nothing. */
const pixels = fetch(picture).then((response) => response.blob());
let running: AbortController | undefined;
let report: Report | undefined;

const wished = new URL(location.href).searchParams.get("device");
if (wished === "gpu" || wished === "cpu") devices.value = wished;
show(undefined);

byId("wish", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) running.abort();
  else void begin((running = new AbortController()));
});
save.addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(report, undefined, 2)}\n`], { type: "application/json" }));
  link.download = `loupe-${report?.date.slice(0, 10) ?? ""}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});

async function begin({ signal }: AbortController): Promise<void> {
  run.textContent = "Stop";
  [save.disabled, report] = [true, undefined];
  tell(problem, "");
  show(undefined);
  try {
    report = await measure(devices.value as Device, await pixels, signal, (doing, done) => {
      words.textContent = doing;
      bar.value = done;
    });
    show(report);
    save.disabled = false;
    words.textContent = `Done ${runsInWords(report.engine)}`;
    bar.value = 1;
    announce(words.textContent);
  } catch (error) {
    bar.value = 0;
    words.textContent = signal.aborted ? "Stopped" : "Not measured";
    if (!signal.aborted) tell(problem, error instanceof LoupeError ? error.message : "Something in this page went wrong; reload it.");
    if (!(error instanceof LoupeError || signal.aborted)) console.error(error);
  } finally {
    running = undefined;
    run.textContent = "Run";
  }
}

/** Fills the table; it has its rows from the beginning, so that nothing moves. */
function show(report: Report | undefined): void {
  const names = Object.keys(NAMES) as Measure["name"][];
  rows.replaceChildren(...names.map((name) => row(name, report?.measures.find((measure) => measure.name === name))));
  const caption = byId("machine", HTMLElement);
  if (!report) return tell(caption, "Medians of the runs, and the range they lie in");
  const what = `${report.model.name}, ${count(report.views, "view")}, a prompt of ${count(report.promptTokens, "token")}`;
  tell(caption, `${what}; ${report.engine.device.kind === "gpu" ? runsInWords(report.engine) : engineInWords(report.engine)}`);
}

function row(name: Measure["name"], measure: Measure | undefined): HTMLTableRowElement {
  const figures = measure && measure.samples.length > 0 ? [median(measure.samples), Math.min(...measure.samples), Math.max(...measure.samples)] : [];
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const unit = document.createElement("small");
  unit.textContent = UNITS[name];
  head.append(NAMES[name], unit);
  row.append(head);
  for (const at of [0, 1, 2]) {
    const cell = document.createElement("td");
    const figure = figures[at];
    cell.textContent = figure === undefined ? "–" : measure?.unit === "ms" ? duration(figure) : Math.round(figure).toLocaleString("en");
    row.append(cell);
  }
  return row;
}

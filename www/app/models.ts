// Choosing a model: by name or address, from files, or from what is kept here.

import { Loupe, LoupeError, models, type Device, type LoadOptions, type ModelSource, type StoredModel } from "loupe-vlm";
import { byId, tell } from "./dom.js";
import { wishes } from "./settings.js";
import { engineInWords, size } from "./words.js";

const dialog = byId("models-dialog", HTMLDialogElement);
const source = byId("model-source", HTMLInputElement);
const problem = byId("models-error", HTMLElement);
const verdict = byId("verdict", HTMLElement);
const list = byId("stored", HTMLUListElement);
const devices = [...document.querySelectorAll<HTMLInputElement>('input[name="device"]')];
/** Ends the asking whether a model fits. */
let checking: AbortController | undefined;

/** What a model was chosen by; undefined means the built-in one. */
export interface Choice {
  readonly model: ModelSource | undefined;
  /** Whether it is to be opened from what is kept, without a request. */
  readonly offline?: boolean;
}

/** What hears of what is chosen. */
export interface Chosen {
  /** A model. */
  readonly open: (choice: Choice) => void;
  /** What is to run it; undefined leaves that to Loupe. */
  readonly device: (device: Device | undefined) => void;
  /** The model that is open now. */
  readonly opened: () => Loupe | undefined;
}

/** Offers models, and what they run on. */
export function offerModels({ open, device, opened }: Chosen): void {
  const choose = (choice: Choice): void => {
    dialog.close();
    open(choice);
  };
  byId("models", HTMLButtonElement).addEventListener("click", () => {
    tell(problem, "");
    tell(verdict, "");
    describe(opened());
    dialog.showModal();
    void show(choose);
  });
  byId("no-model", HTMLButtonElement).addEventListener("click", () => dialog.close());
  byId("built-in", HTMLButtonElement).addEventListener("click", () => choose({ model: undefined }));
  byId("by-name", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const model = source.value.trim();
    if (model === "") tell(problem, "Type a name on the hub, the address of a manifest, or the addresses of two files.");
    else choose({ model });
  });
  byId("check", HTMLButtonElement).addEventListener("click", () => void check());
  for (const input of devices) {
    input.addEventListener("change", () => {
      dialog.close();
      device(input.value === "auto" ? undefined : (input.value as Device));
    });
  }
  dialog.addEventListener("close", () => checking?.abort());
  for (const id of ["model-files", "model-folder"]) {
    const input = byId(id, HTMLInputElement);
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      // Emptied, so that choosing the same files again is a change.
      input.value = "";
      if (files.length > 0) choose({ model: files });
    });
  }
}

/** Says what runs here and what is open. */
function describe(opened: Loupe | undefined): void {
  const { usable, lacks, engine } = Loupe.probe();
  byId("probe", HTMLElement).textContent = usable && engine ? `${engineInWords(engine)}.` : `Loupe cannot run here: this browser lacks ${lacks.join(", ")}.`;
  const wished = wishes().device ?? "auto";
  for (const input of devices) input.checked = input.value === wished;
  byId("opened", HTMLElement).textContent = opened ? `Open now: ${opened.model.name}, ${size(opened.model.bytes)}` : "";
}

/** Asks for a model's headers alone, and says what it would fetch and whether it fits, and why not. */
async function check(): Promise<void> {
  const model = source.value.trim();
  tell(problem, "");
  tell(verdict, "");
  if (model === "") return tell(problem, "Type a name on the hub, the address of a manifest, or the addresses of two files.");
  checking?.abort();
  const mine = (checking = new AbortController());
  let found = false;
  tell(verdict, "Asking for its headers");
  try {
    const onFit: LoadOptions["onFit"] = ({ download, sentence }) => {
      found = true;
      tell(verdict, `${size(download)} to fetch. ${sentence}`);
      mine.abort();
    };
    // Nothing is kept: whoever only asks has not chosen yet.
    const loupe = await Loupe.load({ ...wishes(), model, keep: false, signal: mine.signal, onFit });
    loupe.close();
  } catch (error) {
    if (found || checking !== mine) return;
    tell(verdict, "");
    if (!mine.signal.aborted) tell(problem, error instanceof LoupeError ? error.message : "The model could not be asked for; try again.");
  }
}

/** The model's files in what is being dropped; undefined where it is none. Folders are looked into. */
export function modelIn(transfer: DataTransfer | null): Promise<File[]> | undefined {
  // What is no folder has no entry in some browsers; it is a file all the same.
  const things = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry() ?? item.getAsFile()).filter((thing) => thing !== null);
  const isModel = things.some((thing) => ("isDirectory" in thing && thing.isDirectory) || /\.gguf$/i.test(thing.name));
  return isModel ? Promise.all(things.map(filesOf)).then((files) => files.flat()) : undefined;
}

async function filesOf(entry: FileSystemEntry | File): Promise<File[]> {
  if (entry instanceof File) return [entry];
  if (entry.isFile) return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const files: File[] = [];
  // A folder is read in handfuls, until one is empty.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return files;
    for (const inside of some) if (inside.isFile) files.push(...(await filesOf(inside)));
  }
}

/** Lists what is kept. */
async function show(choose: (choice: Choice) => void): Promise<void> {
  const [stored, { most, used }] = await Promise.all([models.list(), models.room()]);
  list.replaceChildren(...stored.map((model) => row(model, choose)));
  byId("stored-title", HTMLElement).hidden = stored.length === 0;
  const room = most > 0 ? `There is room for ${size(most - used)} more in this browser.` : "";
  tell(byId("room", HTMLElement), stored.length > 0 ? room : "");
}

function row(model: StoredModel, choose: (choice: Choice) => void): HTMLLIElement {
  const item = document.createElement("li");
  const open = document.createElement("button");
  open.type = "button";
  open.className = "stored-open";
  const name = document.createElement("span");
  name.textContent = model.name;
  const state = document.createElement("small");
  state.textContent = model.complete ? `${size(model.bytes)}, opens without a network` : `${size(model.bytes)} so far, the rest is fetched`;
  open.append(name, state);
  open.addEventListener("click", () => choose({ model: model.source, offline: model.complete }));
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "link";
  remove.textContent = "Delete";
  remove.setAttribute("aria-label", `Delete ${model.name}`);
  remove.addEventListener("click", () => {
    models.delete(model.id).then(
      () => show(choose).then(() => source.focus()),
      (error: unknown) => tell(problem, error instanceof LoupeError ? error.message : `${model.name} is in use and could not be deleted; try again in a moment.`),
    );
  });
  item.append(open, remove);
  return item;
}

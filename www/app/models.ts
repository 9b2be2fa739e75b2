// Choosing a model: by name or address, from files, or from what is kept here.

import { LoupeError, models, type ModelSource, type StoredModel } from "loupe-vlm";
import { byId, tell } from "./dom.js";
import { size } from "./words.js";

const dialog = byId("models-dialog", HTMLDialogElement);
const source = byId("model-source", HTMLInputElement);
const problem = byId("models-error", HTMLElement);
const list = byId("stored", HTMLUListElement);

/** What a model was chosen by; undefined means the built-in one. */
export interface Choice {
  readonly model: ModelSource | undefined;
  /** Whether it is to be opened from what is kept, without a request. */
  readonly offline?: boolean;
}

/** Calls `open` with every model that is chosen. */
export function offerModels(open: (choice: Choice) => void): void {
  const choose = (choice: Choice): void => {
    dialog.close();
    open(choice);
  };
  byId("models", HTMLButtonElement).addEventListener("click", () => {
    tell(problem, "");
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

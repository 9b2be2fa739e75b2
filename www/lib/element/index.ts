/**
 * `<loupe-ask>`: a place for a picture, a question and its answer, which a page puts wherever it likes.
 *
 * ```html
 * <script type="module">import "loupe-vlm/element";</script>
 * <loupe-ask><img src="receipt.jpg" alt="A receipt"></loupe-ask>
 * ```
 *
 * The engine and the model are fetched when they are first wanted. pkg/README.md has the attributes, slots, parts and events.
 */

import { Desk, type DeskOptions, type DeskState } from "../desk.js";
import type { Asking, Loupe } from "../index.js";
import type { PictureSource } from "../picture.js";
import type { Answer, Layout, ModelInfo } from "../protocol.gen.js";
import { drawGrid, lightGrid } from "./overlay.js";
import { STYLE } from "./style.js";
import { Turns } from "./turns.js";
import { build, tell, type View } from "./view.js";
import { ENGLISH, type Words } from "./words.js";

export type { Words } from "./words.js";

/** What the element tells its page; all cross shadows, and all but `error` bubble. */
export interface LoupeAskEvents {
  /** The model is loaded. */
  ready: CustomEvent<{ readonly model: ModelInfo }>;
  /** A question is about to be asked; `preventDefault()` keeps it from being asked. */
  ask: CustomEvent<{ readonly question: string }>;
  /** A piece of the answer. */
  token: CustomEvent<{ readonly text: string }>;
  /** An answer is complete, or was stopped. */
  answer: CustomEvent<{ readonly question: string; readonly answer: Answer }>;
  /** Something went wrong. */
  error: CustomEvent<{ readonly error: Error }>;
}

/** The longest side at which a picture is drawn, in pixels; the model sees all of it. */
const PREVIEW = 1600;

/** Attributes that say how to answer, read at every question; each is a number. */
const ASKING = { "max-tokens": "maxTokens", temperature: "temperature", "top-p": "topP", "top-k": "topK", "min-p": "minP", "repetition-penalty": "repetitionPenalty", seed: "seed" } as const;

/** On a server there are no elements: the class is there to be imported, and nothing else. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

let sheet: CSSStyleSheet | undefined;

/** The element. */
export class LoupeAsk extends Base {
  static readonly formAssociated = true;
  static readonly observedAttributes = ["model", "hub", "device", "engine", "threads", "offline", "keep", "seal", "detail", "disabled"];

  readonly #internals = this.attachInternals();
  readonly #shadow = this.attachShadow({ mode: "open", delegatesFocus: true });
  readonly #desk = new Desk(() => this.#wishes(), () => this.#changed());
  #words = ENGLISH;
  #view: View | undefined;
  #turns: Turns | undefined;
  #before: DeskState = this.#desk.state;
  /** What the model was last shown. */
  #source: PictureSource | undefined;
  /** What is wrong with what was dropped. */
  #complaint = "";
  #waiting = false;

  /** The model, once it is loaded. */
  get loupe(): Loupe | undefined {
    return this.#desk.state.loupe;
  }

  /** The last answer, which is also what a form is given under the element's `name`. */
  get value(): string {
    return this.#desk.state.answer;
  }

  /** What the element says; what is left out stays in English. Takes effect before the element is in a page. */
  set words(words: Partial<Words>) {
    this.#words = { ...ENGLISH, ...words };
  }

  /** Loads the model now and not when it is first wanted. */
  load(): Promise<Loupe | undefined> {
    return this.#desk.load();
  }

  /** Looks at a picture, in the place of the one before. Resolves to how it was cut, or to undefined where that failed. */
  see(source: PictureSource): Promise<Layout | undefined> {
    this.#source = source;
    this.#complaint = "";
    this.#turns?.clear();
    return this.#desk.see(source);
  }

  /** Asks about the picture. Resolves to the answer, or to undefined where that failed or was prevented. */
  async ask(question: string): Promise<Answer | undefined> {
    if (!this.#tell("ask", { question }, true)) return undefined;
    this.#complaint = "";
    const slotted = this.#slotted();
    if (slotted && this.#source === undefined) void this.see(slotted);
    const turn = this.#turns?.add(question);
    const answer = await this.#desk.ask(question, this.#manner());
    if (!answer) {
      turn?.remove();
      // The question goes back to where it can be mended, or asked once more.
      if (this.#field && this.#field.value === "") this.#field.value = question;
      return undefined;
    }
    turn?.finish(answer);
    this.#internals.setFormValue(answer.text);
    this.#finish(answer);
    this.#tell("answer", { question, answer });
    return answer;
  }

  /** Stops looking and answering. */
  stop(): void {
    this.#desk.stop();
  }

  connectedCallback(): void {
    if (!this.#view) this.#build();
    if (this.hasAttribute("eager")) void this.load();
    this.#render();
  }

  disconnectedCallback(): void {
    // Being moved within the page is no end.
    queueMicrotask(() => this.isConnected || this.#desk.close());
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return;
    if (name === "disabled") return this.#render();
    // The same picture, more or less closely.
    if (name === "detail") return void (this.#source !== undefined && this.see(this.#source));
    // Another model: the one that is open, or on its way, is left.
    this.#desk.close();
    this.#source = undefined;
    this.#turns?.clear();
  }

  formDisabledCallback(): void {
    this.#render();
  }

  formResetCallback(): void {
    this.#internals.setFormValue(null);
    this.#turns?.clear();
    void this.#desk.state.loupe?.forget();
  }

  #build(): void {
    const view = (this.#view = build(this.#words));
    this.#turns = new Turns(view.turns, this.#words);
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(STYLE);
    this.#shadow.adoptedStyleSheets = [sheet];
    this.#shadow.append(view.root);

    view.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    for (const button of [view.choose, view.another]) button.addEventListener("click", () => view.files.click());
    view.files.addEventListener("change", () => {
      const file = view.files.files?.[0];
      // Emptied, so that choosing the same file again is a change.
      view.files.value = "";
      if (file) void this.see(file);
    });
    view.picture.addEventListener("slotchange", () => {
      this.#source = undefined;
      this.#render();
    });
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.stop();
      if (event.key !== "Enter" || event.target !== this.#field || event.target === view.input) return;
      // A field of the page's own has no form here to submit, and is not to submit the page's.
      event.preventDefault();
      this.#submit();
    });
    this.addEventListener("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (!file || this.#disabled) return; // Text goes where text goes.
      event.preventDefault();
      void this.see(file);
    });
    this.addEventListener("dragover", (event) => {
      if (this.#disabled || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.#internals.states.add("dragging");
    });
    this.addEventListener("dragleave", (event) => {
      if (!this.contains(event.relatedTarget as Node | null)) this.#internals.states.delete("dragging");
    });
    this.addEventListener("drop", (event) => {
      if (this.#disabled) return;
      event.preventDefault();
      this.#internals.states.delete("dragging");
      const file = event.dataTransfer?.files[0];
      this.#complaint = file ? "" : this.#words.noFile;
      if (file) void this.see(file);
      else this.#render();
    });
  }

  #submit(): void {
    const { busy } = this.#desk.state;
    const question = this.#field?.value.trim() ?? "";
    if (busy) return this.stop();
    if (question === "" || this.#disabled) return this.#field?.focus();
    if (this.#field) this.#field.value = "";
    void this.ask(question);
  }

  /** The field that the question is typed into, the page's own where it put one into the slot. */
  get #field(): HTMLInputElement | HTMLTextAreaElement | undefined {
    const [slotted] = this.#view?.field.assignedElements() ?? [];
    return (slotted as HTMLInputElement | undefined) ?? this.#view?.input;
  }

  get #disabled(): boolean {
    return this.matches(":disabled");
  }

  /** A picture that the page put into the element. */
  #slotted(): HTMLImageElement | HTMLCanvasElement | HTMLVideoElement | undefined {
    const [slotted] = this.#view?.picture.assignedElements({ flatten: true }) ?? [];
    return slotted as HTMLImageElement | undefined;
  }

  #manner(): Asking {
    const given = Object.entries(ASKING).filter(([name]) => this.hasAttribute(name));
    return Object.fromEntries(given.map(([name, option]) => [option, Number(this.getAttribute(name))]));
  }

  #wishes(): DeskOptions {
    const names = ["model", "hub", "device", "engine", "threads", "patience", "detail"];
    const [model, hub, device, engine, threads, patience, detail] = names.map((name) => this.getAttribute(name) ?? undefined);
    return {
      model,
      hub,
      // Loupe itself says what is wrong with a name that it does not know.
      device: device as DeskOptions["device"],
      engine: engine as DeskOptions["engine"],
      detail: /^\d+$/.test(detail ?? "") ? { maxSlices: Number(detail) } : (detail as DeskOptions["detail"]),
      remember: this.hasAttribute("remember"),
      seal: this.hasAttribute("seal"),
      keep: this.getAttribute("keep") === "no" ? false : undefined,
      patience: patience === undefined ? undefined : Number(patience),
      threads: threads === undefined ? undefined : Number(threads),
      offline: this.hasAttribute("offline"),
    };
  }

  /** Tells what has changed at once, and shows it with everything else that changes now. */
  #changed(): void {
    const [before, state] = [this.#before, this.#desk.state];
    this.#before = state;
    if (state.loupe && !before.loupe) this.#tell("ready", { model: state.loupe.model });
    if (state.answer !== "" && state.answer.length > before.answer.length) this.#tell("token", { text: state.answer.slice(before.answer.length) });
    if (state.error && state.error !== before.error) this.#tell("error", { error: state.error });
    if (state.layout !== before.layout) void this.#showPicture(state);
    if (this.#waiting) return;
    this.#waiting = true;
    queueMicrotask(() => {
      this.#waiting = false;
      this.#render();
    });
  }

  #tell<K extends keyof LoupeAskEvents>(type: K, detail: LoupeAskEvents[K]["detail"], cancelable = false): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable, composed: true, bubbles: type !== "error" }));
  }

  #render(): void {
    const view = this.#view;
    if (!view) return;
    const state = this.#desk.state;
    const { status, progress, layout, busy } = state;
    const mine = layout !== undefined && this.#source !== this.#slotted();
    view.figure.hidden = !layout && !this.#slotted();
    view.dropzone.hidden = !view.figure.hidden;
    view.canvas.hidden = !mine;
    view.picture.hidden = mine;
    tell(view.caption, layout ? this.#words.layout(layout) : "");
    lightGrid(view.overlay, state.encoded);

    view.status.hidden = !(["loading", "looking", "moving"].includes(status) || (status === "answering" && state.answer === ""));
    tell(view.doing, view.status.hidden ? "" : this.#words.doing(status, progress));
    if (progress && progress.total > 0) [view.progress.max, view.progress.value] = [progress.total, progress.done];
    else view.progress.removeAttribute("value");

    tell(view.error, this.#complaint || (state.error?.message ?? ""));
    tell(view.send, busy ? this.#words.stop : this.#words.ask);
    const { result, loupe } = state;
    tell(view.meter, result && loupe ? this.#words.cost(result, loupe.network.requests) : "");
    if (state.answer !== "") this.#turns?.say(state.answer);
    const [outside] = view.answer.assignedElements();
    if (outside) tell(outside as HTMLElement, state.answer);
    for (const control of [view.input, view.send, view.choose, view.another]) control.disabled = this.#disabled;
  }

  /** Reads a whole answer aloud, once: spelt out piece by piece it could not be followed. */
  #finish(answer: Answer): void {
    if (this.#view) tell(this.#view.spoken, answer.text);
  }

  /** Draws the picture and its slices. On a canvas, so that a page's `img-src` need not allow `blob:`. */
  async #showPicture({ layout, picture }: DeskState): Promise<void> {
    const view = this.#view;
    if (!view) return;
    drawGrid(view.overlay, layout);
    if (!layout || !picture) return;
    const { width, height } = layout;
    view.figure.style.setProperty("--ratio", String(width / height));
    view.canvas.setAttribute("aria-label", this.#words.picture(picture instanceof File ? picture.name : ""));
    const scale = Math.min(1, PREVIEW / Math.max(width, height));
    const size = { resizeWidth: Math.max(1, Math.round(width * scale)), resizeHeight: Math.max(1, Math.round(height * scale)) };
    const bitmap = await createImageBitmap(picture, { ...size, resizeQuality: "high" }).catch(() => undefined);
    if (!bitmap || this.#desk.state.layout !== layout) return bitmap?.close();
    [view.canvas.width, view.canvas.height] = [bitmap.width, bitmap.height];
    view.canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(bitmap);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "loupe-ask": LoupeAsk;
  }
}

if (globalThis.customElements && !customElements.get("loupe-ask")) customElements.define("loupe-ask", LoupeAsk);

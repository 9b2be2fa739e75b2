// How much has come, of how much, and how fast: numbers that never go back.

/** Bytes of the model that are here. */
export interface Progress {
  readonly loaded: number;
  /** Of how many; 0 while a server does not say. */
  readonly total: number;
  /** Bytes that were here already, and are not fetched. */
  readonly resumed: number;
  /** Bytes a second of late; 0 while nobody knows. */
  readonly rate: number;
}

/** Milliseconds between two reports, and those over which the rate is taken. */
const EVERY = 50;
const WINDOW = 3000;

export class Meter {
  readonly #tell: (progress: Progress) => void;
  #loaded = 0;
  /** What was told last. */
  #most = 0;
  #total = 0;
  #resumed = 0;
  #told = -Infinity;
  #begun = false;
  readonly #marks: { readonly at: number; readonly loaded: number }[] = [];

  constructor(tell: (progress: Progress) => void) {
    this.#tell = tell;
  }

  /** The files are fetched from the beginning, because they changed. */
  restart(): void {
    [this.#loaded, this.#begun] = [0, false];
    this.#marks.length = 0;
  }

  /** The sizes are known, as far as servers say; nothing is told before. `counted` are bytes that nobody will `add`. */
  begin(sizes: readonly number[], counted: number, resumed: number): void {
    this.#total = sizes.every((size) => size > 0) ? sizes.reduce((sum, size) => sum + size, 0) : 0;
    this.#resumed = resumed;
    this.#loaded += counted;
    this.#begun = true;
    this.#report();
  }

  add(bytes: number): void {
    this.#loaded += bytes;
    if (performance.now() - this.#told >= EVERY) this.#report();
  }

  /** All is here; now even the size of a file is known that no server told. */
  end(sizes: readonly number[]): void {
    const known = this.#total > 0;
    this.#total = this.#loaded = sizes.reduce((sum, size) => sum + size, 0);
    this.#report(!known);
  }

  #report(again = false): void {
    const now = performance.now();
    const loaded = Math.min(this.#loaded, this.#total || Infinity);
    if (!this.#begun || loaded < this.#most || (loaded === this.#most && !again)) return;
    [this.#most, this.#told] = [loaded, now];
    while (this.#marks[0] && now - this.#marks[0].at > WINDOW) this.#marks.shift();
    this.#marks.push({ at: now, loaded });
    const first = this.#marks[0];
    const rate = first && now - first.at > EVERY ? ((loaded - first.loaded) / (now - first.at)) * 1000 : 0;
    this.#tell({ loaded, total: this.#total, resumed: this.#resumed, rate });
  }
}

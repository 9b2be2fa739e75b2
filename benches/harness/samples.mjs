// What was measured, sorted: every sample of a line of the report, repeats together.

import { median, spread } from "./statistics.mjs";

/** Runs by `id`, threads and whether the other cores were busy. */
export class Samples {
  constructor(runs) {
    this.runs = runs.filter(({ error }) => !error);
  }

  of(id, threads, { busy = false } = {}) {
    return new Line(
      this.runs.filter((run) => run.id === id && run.threads === threads && run.busy === busy),
      id,
      threads,
    );
  }

  /** The lines of these groups with so many threads, in the order in which they were first measured. */
  lines(groups, threads, { busy = false } = {}) {
    const found = this.runs.filter((run) => groups.includes(run.group) && run.threads === threads && run.busy === busy);
    return [...new Set(found.map(({ id }) => id))].map((id) => this.of(id, threads, { busy }));
  }

  /** The median of a loop of the roofline: operations or bytes a second, all threads together. */
  ceiling(loop, threads) {
    const values = this.of(`roofline, ${threads}`, threads).runs.map(({ samples }) => samples[loop]);
    return values.length ? median(values) : NaN;
  }

  /** Bytes of a page with nothing in it. */
  get empty() {
    const values = this.of("an empty page", 1).runs.map(({ memory }) => memory.peak);
    return values.length ? median(values) : 0;
  }

  /** Bytes of the whole browser that shows such a page. */
  get emptyBrowser() {
    const values = this.of("an empty page", 1).runs.map(({ memory }) => memory.browserPeak);
    return values.length ? median(values) : 0;
  }
}

export class Line {
  constructor(runs, id, threads) {
    Object.assign(this, { runs, id, threads });
  }

  get exists() {
    return this.runs.length > 0;
  }

  get name() {
    return this.threads > 1 ? `${this.id}, ${this.threads} threads` : this.id;
  }

  /** Tokens a second where the stage has tokens, seconds where it has not; `by` is `seconds` or `cpu`. */
  values(stage, by = "seconds") {
    const samples = this.runs.map((run) => run.samples[stage]).filter(Boolean);
    return samples.map((sample) => (sample.tokens ? sample.tokens / sample[by] : sample[by]));
  }

  median(stage, by) {
    const values = this.values(stage, by);
    return values.length ? median(values) : NaN;
  }

  spread(stage, by) {
    return spread(this.values(stage, by));
  }

  /** The median of a number of every run. */
  number(pick) {
    const values = this.runs.map(pick).filter(Number.isFinite);
    return values.length ? median(values) : NaN;
  }
}

/** How many times as fast `a` is as `b` at a stage. */
export function times(a, b, stage, by) {
  const [one, other] = [a.median(stage, by), b.median(stage, by)];
  return isRate(stage) ? one / other : other / one;
}

/** Whether more is better. */
function isRate(stage) {
  return stage.startsWith("prefill") || stage.startsWith("decode");
}

// Which of the engine's artefacts this browser and this page can run, and on how many threads.

/** `base` runs in every browser, `relaxed` where there is relaxed SIMD, `relaxed-mt` where memory may be shared as well. */
export type Artefact = "base" | "relaxed" | "relaxed-mt";

export const ARTEFACTS: readonly Artefact[] = ["base", "relaxed", "relaxed-mt"];

/** What runs the network: the GPU, the processor, or the GPU where there is one that can be trusted with it. */
export type Device = "auto" | "gpu" | "cpu";

export const DEVICES: readonly Device[] = ["auto", "gpu", "cpu"];

/** What a GPU's kernels may be told to do without: arithmetic on halves, or exchange between threads without memory. */
export type GpuMask = "f32" | "nosubgroups";

/** The words that `Wish::of` of `src/exec/gpu/variant.rs` reads. */
export const GPU_MASKS: readonly GpuMask[] = ["f32", "nosubgroups"];

/** What a caller may want; what cannot be is told in `EngineInfo.why`. */
export interface EngineOptions {
  readonly artefact?: Artefact | undefined;
  readonly threads?: number | undefined;
  readonly device?: Device | undefined;
  readonly gpu?: readonly GpuMask[] | undefined;
}

/** What runs the network. */
export interface DeviceInfo {
  readonly kind: "gpu" | "cpu";
  /** The GPU's name, as the browser tells it; empty on the processor. */
  readonly adapter: string;
  /** Which of the GPU's kernels run; empty on the processor. */
  readonly kernels: string;
  /** Why this one: a few words each. */
  readonly why: readonly string[];
}

/** What runs. */
export interface EngineInfo {
  readonly artefact: Artefact;
  readonly threads: number;
  /** Why this one, and not more: a few words each. */
  readonly why: readonly string[];
  /** What the network runs on; pictures are cut, and words chosen, on the processor. */
  readonly device: DeviceInfo;
}

/** An artefact, and its threads. */
export type EngineChoice = Omit<EngineInfo, "device">;

/** What decides. */
export interface Machine {
  readonly relaxed: boolean;
  /** Whether this page may share memory among threads: it came with the headers that ask for cross-origin isolation. */
  readonly isolated: boolean;
  readonly cores: number;
}

/** Beyond this, threads wait for memory and for each other. */
const MOST_THREADS = 8;

/** A function that swizzles one vector by another, relaxed: a module with one such instruction is refused as a whole. */
const RELAXED = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // the header
  1, 5, 1, 0x60, 0, 1, 0x7b, // type 0: nothing to v128
  3, 2, 1, 0, // function 0 is of type 0
  10, 15, 1, 13, 0, // and its body
  0x41, 1, 0xfd, 15, 0x41, 2, 0xfd, 15, // i32.const 1, i8x16.splat, i32.const 2, i8x16.splat
  0xfd, 0x80, 2, 0x0b, // i8x16.relaxed_swizzle, end
]);

/** The machine under this thread. */
export function inspect(): Machine {
  return {
    relaxed: WebAssembly.validate(RELAXED),
    isolated: globalThis.crossOriginIsolated && typeof SharedArrayBuffer === "function",
    cores: navigator.hardwareConcurrency || 1,
  };
}

/** The most of what was asked for that the machine can do; without a wish, its best. */
export function choose({ artefact, threads }: EngineOptions, { relaxed, isolated, cores }: Machine): EngineChoice {
  const why: string[] = [];
  if (artefact) why.push(`${artefact} was asked for`);
  if (artefact === "base") return { artefact, threads: 1, why };
  if (!relaxed) return { artefact: "base", threads: 1, why: [...why, "this browser has no relaxed SIMD"] };
  if (artefact === "relaxed") return { artefact, threads: 1, why };

  if (threads) why.push(threads === 1 ? "one thread was asked for" : `${threads} threads were asked for`);
  const several = threads ?? Math.min(cores, MOST_THREADS);
  if (!isolated) why.push("this page is not cross-origin isolated, so it may not share memory");
  else if (!threads) why.push(cores > 1 ? `this machine has ${cores} cores` : "this machine has one core");
  if (!isolated || (several < 2 && !artefact)) return { artefact: "relaxed", threads: 1, why };
  return { artefact: "relaxed-mt", threads: several, why };
}

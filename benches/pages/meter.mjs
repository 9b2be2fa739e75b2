// What every engine's page measures with. `hostCpu` and `hostMemory` are the harness: CPU seconds and memory of this
// page's renderer process, all threads.

/** Seconds of the clock and of the processor that `work` takes, and what it gives. */
export async function timed(work) {
  const [cpu, start] = [await hostCpu(), performance.now()];
  const value = await work();
  return { value, seconds: (performance.now() - start) / 1e3, cpu: (await hostCpu()) - cpu };
}

/** The cost without the value. */
export function cost({ seconds, cpu }) {
  return { seconds, cpu };
}

/** Words of three letters, each one token of the benchmark's vocabulary, other ones every time. */
export function words(count) {
  const letter = () => String.fromCharCode(97 + Math.floor(Math.random() * 26));
  return Array.from({ length: count }, () => ` ${letter()}${letter()}${letter()}`).join("");
}

/** Token ids of such words, for engines that take ids: past the special tokens, the bytes, and one or two letters. */
export function ids(count) {
  return Array.from({ length: count }, () => 1000 + Math.floor(Math.random() * 17_000));
}

/** A PNG file of a picture with something everywhere: gradients, circles and lines, the same each time. */
export async function picture(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const sky = context.createLinearGradient(0, 0, width, height);
  for (const [at, colour] of [
    [0, "#204080"],
    [0.5, "#e0c080"],
    [1, "#406020"],
  ])
    sky.addColorStop(at, colour);
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  for (let i = 0; i < 60; i++) {
    const [x, y, size] = [(i * 733) % width, (i * 419) % height, 8 + ((i * 37) % 64)];
    context.fillStyle = context.strokeStyle = `hsl(${(i * 67) % 360} 70% 50%)`;
    context.beginPath();
    if (i % 2) context.arc(x, y, size, 0, 2 * Math.PI);
    else context.rect(x, y, size, size / 2);
    if (i % 3) context.fill();
    else context.stroke();
  }
  return canvas.convertToBlob({ type: "image/png" });
}

/** A worker that answers `[what, …arguments]` with `{ value }` or `{ error }`, as a function. */
export function ask(worker) {
  return (...message) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.value));
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(message);
    });
}

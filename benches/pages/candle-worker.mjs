import init, { Llama } from "/built/candle/candle_rival.js";
import { answer } from "./answer.mjs";

let llama, likeliest;

answer({
  async load(file) {
    await init();
    const response = await fetch(file);
    llama = new Llama(new Uint8Array(await response.arrayBuffer()));
  },
  prefill(tokens) {
    llama.reset();
    likeliest = llama.step(Uint32Array.from(tokens));
    return likeliest;
  },
  decode(count) {
    for (let i = 0; i < count; i++) likeliest = llama.step(Uint32Array.of(likeliest));
  },
});

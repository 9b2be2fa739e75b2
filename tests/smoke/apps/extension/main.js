import { Loupe } from "./loupe-vlm/dist/index.js";
import { ask } from "./app.js";

ask(async () => ({ Loupe }));

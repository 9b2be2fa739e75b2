import { Loupe } from "loupe-vlm";
import { ask } from "../../app.js";

ask(async () => ({ Loupe }));

// The sealed worker of `relaxed`. The build makes one file of it and all that it imports, `sealed-relaxed.js`.

import { run } from "./run.js";
import { arrive, Engine, help, initSync, module, mourn } from "../engine/relaxed/loupe.js";

run({ arrive, Engine, help, initSync, module, mourn });

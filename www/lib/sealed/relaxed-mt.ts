// The sealed worker of `relaxed-mt`. The build makes one file of it and all that it imports, `sealed-relaxed-mt.js`.

import { run } from "./run.js";
import { arrive, Engine, help, initSync, module, mourn } from "../engine/relaxed-mt/loupe.js";

run({ arrive, Engine, help, initSync, module, mourn });

// The sealed worker of `base`. The build makes one file of it and all that it imports, `sealed-base.js`.

import { run } from "./run.js";
import { arrive, Engine, help, initSync, module, mourn } from "../engine/base/loupe.js";

run({ arrive, Engine, help, initSync, module, mourn });

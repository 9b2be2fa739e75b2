// The worker that fetches what it needs, when it needs it.

import { fetchForms, fetchParts, load, startFetched } from "./fetched.js";
import { serve } from "./serve.js";

serve({ start: startFetched, giveForms: fetchForms, load, parts: fetchParts });

// What the page and its service worker say to each other.

/** Page → service worker: keep this artefact of the engine. */
export interface ToOffline {
  readonly engine: string;
}

/** Service worker → page: whether it is kept. */
export interface FromOffline {
  readonly kept: boolean;
}

/** The element with this id, of this kind; the page's own HTML has it, or the page is broken. */
export function byId<T extends Element>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page lacks its ${kind.name} #${id}.`);
  return element;
}

/** Shows `text` in place, or hides the place. */
export function tell(place: HTMLElement, text: string): void {
  place.textContent = text;
  place.hidden = text === "";
}

/** Reads `text` aloud to those who listen to the page. */
export function announce(text: string): void {
  byId("spoken", HTMLElement).textContent = text;
}

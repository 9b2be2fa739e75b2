// A photograph with the computer's own camera. Phones and tablets open their camera app instead (see intake.ts).

import { byId } from "./dom.js";

const button = byId("camera", HTMLButtonElement);
const dialog = byId("camera-dialog", HTMLDialogElement);
const viewfinder = byId("viewfinder", HTMLVideoElement);

/** Offers the camera; `take` hears the photograph, `refuse` why there is none. */
export function offerCamera(take: (file: File) => void, refuse: (message: string) => void): void {
  // Browsers keep the camera from pages that came over an unprotected connection.
  button.hidden = !navigator.mediaDevices;
  button.addEventListener("click", () => {
    navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } }).then(look, () => {
      refuse("No camera could be opened; allow it in the browser, or choose a picture file.");
    });
  });
  byId("shutter", HTMLButtonElement).addEventListener("click", () => {
    void photograph().then((file) => {
      dialog.close();
      if (file) take(file);
    });
  });
  byId("no-photo", HTMLButtonElement).addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of (viewfinder.srcObject as MediaStream | null)?.getTracks() ?? []) track.stop();
    viewfinder.srcObject = null;
  });
}

function look(stream: MediaStream): void {
  viewfinder.srcObject = stream;
  dialog.showModal();
}

/** What the viewfinder shows now. */
async function photograph(): Promise<File | undefined> {
  const { videoWidth: width, videoHeight: height } = viewfinder;
  if (width === 0) return undefined; // The camera has not warmed up.
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d")?.drawImage(viewfinder, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  return blob ? new File([blob], "photo.png", { type: blob.type }) : undefined;
}

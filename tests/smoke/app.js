// What every smoke app does: it shows a picture to Loupe, asks, and puts the answer into the page.

/** Loads the package by `load`, so that each app imports it in its own way. */
export async function ask(load) {
  const query = new URLSearchParams(location.search);
  const output = document.querySelector("output");
  try {
    const { Loupe } = await load();
    const loupe = await Loupe.load({ seal: query.has("seal") });
    await loupe.see("picture.png");
    const question = "What colour is the triangle?";
    const free = await loupe.ask(question);
    output.dataset.requests = String(loupe.network.requests);
    const chosen = await loupe.ask(question, { format: { type: "choice", options: ["red", "blue"] } });
    output.dataset.engine = loupe.engine.artefact;
    output.dataset.seal = loupe.seal?.kind ?? "";
    output.value = `${free.text.trim()}, ${chosen.text}`;
  } catch (error) {
    output.value = `${error.name}: ${error.message}`;
  }
  const report = { answer: output.value, ...output.dataset };
  if (query.has("report")) await fetch("/report", { method: "POST", body: JSON.stringify(report) });
}

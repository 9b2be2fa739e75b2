"use client";
import { useLoupe } from "loupe-vlm/react";

export default function Page() {
  const { status, answer, error, see, ask } = useLoupe();
  const journey = async () => {
    await see("picture.png");
    await ask("What colour is the triangle?", { format: { type: "choice", options: ["red", "blue"] } });
  };
  return <>
    <button onClick={journey}>Ask</button>
    <output data-status={status}>{error?.message ?? answer}</output>
  </>;
}

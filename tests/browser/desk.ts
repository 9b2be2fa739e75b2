// The page as a visitor uses it.

import { existsSync, readFileSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { expect, type Locator, type Page, type Route } from "@playwright/test";

/** The repository. */
export const ROOT = resolve(import.meta.dirname, "../..");

/** Whether this build has threads; a test that needs them and has none says so out loud. */
export const THREADS = existsSync(resolve(ROOT, "pkg/dist/engine/relaxed-mt/loupe_bg.wasm"));
export const NO_THREADS = "THREADS WERE NOT TESTED: relaxed-mt was not built";

/** A file as it is dropped or pasted. */
export interface Dropped {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

const TYPES: Record<string, string> = {
  ".avif": "image/avif",
  ".bmp": "image/bmp",
  ".gif": "image/gif",
  ".jpg": "image/jpeg",
  ".png": "image/png",
  ".webp": "image/webp",
};

/** A file of the repository. */
export function file(path: string): Dropped {
  return { name: basename(path), type: TYPES[extname(path)] ?? "", bytes: readFileSync(resolve(ROOT, path)) };
}

/** One of the page's own samples. */
export function sample(name: string): Dropped {
  return file(`www/app/samples/${name}.png`);
}

/** Has `first` done in the script at `url` before anything else in it; `times` says how often, always when left out. */
export async function before(page: Page, url: string, first: () => void, options: { times?: number } = {}): Promise<void> {
  const change = async (route: Route): Promise<void> => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `(${first.toString()})();\n${await response.text()}` });
  };
  await page.route(url, change, options);
}

/** An opened page. */
export class Desk {
  readonly page: Page;
  readonly turns: Locator;
  readonly question: Locator;
  readonly send: Locator;
  readonly status: Locator;
  readonly pictureError: Locator;
  readonly questionError: Locator;
  readonly modelError: Locator;
  readonly picture: Locator;
  readonly cells: Locator;
  readonly lit: Locator;
  readonly caption: Locator;
  readonly engine: Locator;
  readonly device: Locator;

  private constructor(page: Page) {
    this.page = page;
    this.turns = page.locator(".turn");
    this.question = page.getByLabel("Your question");
    this.send = page.locator("#send");
    this.status = page.locator("#status");
    this.pictureError = page.locator("#picture-error");
    this.questionError = page.locator("#question-error");
    this.modelError = page.locator("#model-error");
    this.picture = page.locator("#picture");
    this.cells = page.locator("#grid rect");
    this.lit = page.locator("#grid rect.seen");
    this.caption = page.locator("#caption");
    this.engine = page.locator("#model p").nth(1);
    this.device = page.locator("#model p").nth(2);
  }

  /** Opens the page and waits until its model is loaded. */
  static async open(page: Page, query = ""): Promise<Desk> {
    const desk = await Desk.visit(page, query);
    await expect(page.getByText("Nothing leaves this tab").or(desk.modelError).filter({ visible: true })).toBeVisible();
    expect(await desk.modelError.innerText()).toBe("");
    return desk;
  }

  /** Opens the page and waits for nothing. */
  static async visit(page: Page, query = ""): Promise<Desk> {
    await page.goto(`./${query}`);
    return new Desk(page);
  }

  /** Drops a file on the page. */
  async drop(dropped: Dropped): Promise<void> {
    const dataTransfer = await this.transfer(dropped);
    await this.page.dispatchEvent("body", "dragover", { dataTransfer });
    await this.page.dispatchEvent("body", "drop", { dataTransfer });
  }

  /** Drops a picture and waits until all of it is encoded. */
  async see(dropped: Dropped): Promise<void> {
    await this.drop(dropped);
    await expect(this.picture).toHaveAccessibleName(`The picture ${dropped.name}`);
    await expect(this.page.locator("#loading")).toBeHidden();
  }

  /** Asks and reads the answer when it is complete. */
  async ask(question: string): Promise<string> {
    const turns = await this.turns.count();
    await this.question.fill(question);
    await this.question.press("Enter");
    return this.answer(turns);
  }

  /** The answer of this turn, counted from 0, when it is complete. */
  async answer(turn: number): Promise<string> {
    const item = this.turns.nth(turn);
    await expect(item.locator(".cost")).toBeVisible();
    return (await item.locator(".answer").innerText()).trim();
  }

  /** Waits until an answer begins; looks at every frame, not now and then. */
  async firstPiece(): Promise<void> {
    await this.page.waitForFunction(() => document.querySelector(".answer")?.textContent, undefined, { polling: "raf" });
  }

  /** Makes every step of the engine take at least so many milliseconds, so that there is time to stop it. */
  async slowDown(milliseconds: number): Promise<void> {
    await this.page.workers()[0]?.evaluate((milliseconds) => {
      // Between two steps the worker sends itself a message; it is held back.
      const send: (message: unknown) => void = MessagePort.prototype.postMessage;
      MessagePort.prototype.postMessage = function (this: MessagePort, message: unknown) {
        setTimeout(() => send.call(this, message), milliseconds);
      };
    }, milliseconds);
  }

  /** Makes the engine trap. */
  async trap(): Promise<void> {
    await this.page.workers()[0]?.evaluate(() => {
      // (module (func (export "f") unreachable)): what a Rust panic is by the time JavaScript sees it.
      const trap = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11]);
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(trap));
      setTimeout(exports["f"] as () => void);
    });
  }

  /** A file in the hands of the browser. */
  transfer(dropped: Dropped) {
    return transferOf(this.page, dropped);
  }
}

/** A file in the hands of the browser. */
export function transferOf(page: Page, { name, type, bytes }: Dropped) {
  return page.evaluateHandle(
    ({ name, type, base64 }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
      return transfer;
    },
    { name, type, base64: bytes.toString("base64") },
  );
}

import { fromBase64 } from "../map/bytes";
import { join } from "../state/registry";
import { mount } from "../view/view";
import { about } from "./about";
import { inflate } from "./inflate";
import { PageModel } from "./model";
import { readPng } from "./png";

/** What a page holds beside its pictures, which are elements of it: a reader without scripts sees them. */
interface Saved {
  readonly traits: Readonly<Record<string, unknown>>;
  /** The bytes of the maps by slot, packed by zlib, in base64. */
  readonly slots: readonly string[];
  /** Where the maps come from, by their keys. */
  readonly provenance: Readonly<Record<string, unknown>>;
}

async function open(): Promise<void> {
  const place = document.getElementById("widget")!;
  const saved = JSON.parse(document.getElementById("state")!.textContent!) as Saved;
  const [images, slots] = await Promise.all([
    Promise.all([...document.querySelectorAll<HTMLImageElement>("img[data-subject]")].map(pixels)),
    Promise.all(saved.slots.map(async (one) => inflate(new Blob([bytes(one)])))),
  ]);
  const model = new PageModel({
    ...saved.traits,
    _images: images,
    ...Object.fromEntries(slots.map((slot, at) => [`_slot_${at}`, slot])),
  });
  const { store } = join(model);
  const { signal } = new AbortController();
  place.replaceChildren();
  mount(place, store, signal);
  // For scripts of a page around it: what is looked at can be read.
  Object.assign(place, { model });
  about(store, saved.provenance);
}

function pixels(picture: HTMLImageElement): Promise<Uint8Array> {
  return readPng(bytes(picture.src.slice(picture.src.indexOf(",") + 1)));
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return (fromBase64(base64) ?? new Uint8Array()) as Uint8Array<ArrayBuffer>;
}

open().catch((error) => {
  const words = document.getElementById("trouble")!;
  words.textContent = `This page could not be opened here (${error}). It needs a browser of 2023 or later.`;
  words.hidden = false;
});

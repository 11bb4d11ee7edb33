import { count } from "../map/format";
import type { Store } from "../state/store";
import { make, setText } from "./dom";
import { button, Select } from "./fields";
import type { Scene } from "./scene";

/** Which of several models and images is looked at. */
export class Subjects {
  readonly element: HTMLElement;
  readonly #model: Select;
  readonly #name = make("span", { class: "name" });
  readonly #images: HTMLElement;
  readonly #previous: HTMLButtonElement;
  readonly #next: HTMLButtonElement;

  constructor(
    readonly store: Store,
    signal: AbortSignal,
  ) {
    const go = (step: number) => {
      const { images } = store.traits.catalogue;
      store.choose({ image: (store.want.image + step + images.length) % images.length });
    };
    this.#model = new Select("Model", signal, (value) => store.choose({ model: Number(value) }));
    this.#previous = button("‹", signal, () => go(-1));
    this.#previous.setAttribute("aria-label", "Previous image");
    this.#next = button("›", signal, () => go(1));
    this.#next.setAttribute("aria-label", "Next image");
    this.#images = make("div", { class: "images", role: "group", "aria-label": "Image" });
    this.#images.append(this.#previous, this.#name, this.#next);
    this.element = make("div", { class: "subjects" }, this.#model.element, this.#images);
  }

  update({ store }: Scene): void {
    const { models, images } = store.traits.catalogue;
    const { model, image } = store.want;
    this.element.hidden = models.length < 2 && images.length < 2;
    this.#model.element.hidden = models.length < 2;
    this.#model.update(
      models.map((name, at) => ({
        value: String(at),
        label: name,
        disabled: at !== model && !store.can({ model: at }),
      })),
      String(model),
    );
    this.#images.hidden = images.length < 2;
    setText(this.#name, `${images[image] ?? ""} · ${count(image + 1)} of ${count(images.length)}`);
    for (const [control, step] of [
      [this.#previous, -1],
      [this.#next, 1],
    ] as const) {
      control.disabled = !store.can({ image: (image + step + images.length) % images.length });
    }
  }
}

import { count } from "../map/format";
import type { Store } from "../state/store";
import { make, setText } from "./dom";
import { button, makeSelect } from "./fields";
import type { Scene } from "./scene";

/** Which of several models and images is looked at. */
export function makeSubjects(store: Store) {
  const name = make("span.name");
  const go = (step: number) => {
    const { images } = store.traits.catalogue;
    store.choose({ image: (store.want.image + step + images.length) % images.length });
  };
  const modelSelect = makeSelect("Model", (value) => store.choose({ model: Number(value) }));
  const previous = button("‹", () => go(-1), { "aria-label": "Previous image" });
  const next = button("›", () => go(1), { "aria-label": "Next image" });
  const imagesGroup = make("div.images", { role: "group", "aria-label": "Image" });
  imagesGroup.append(previous, name, next);
  const element = make("div.subjects", modelSelect.element, imagesGroup);

  function update({ store }: Scene): void {
    const { models, images } = store.traits.catalogue;
    const { model, image } = store.want;
    element.hidden = models.length < 2 && images.length < 2;
    modelSelect.element.hidden = models.length < 2;
    modelSelect.update(
      models.map((name, at) => ({
        value: String(at),
        label: name,
        disabled: at !== model && !store.can({ model: at }),
      })),
      String(model),
    );
    imagesGroup.hidden = images.length < 2;
    setText(name, `${images[image] ?? ""} · ${count(image + 1)} of ${count(images.length)}`);
    for (const [control, step] of [
      [previous, -1],
      [next, 1],
    ] as const) {
      control.disabled = !store.can({ image: (image + step + images.length) % images.length });
      control.title = control.disabled ? "This page does not hold a map of that picture." : "";
    }
  }

  return { element, update };
}

"""explain() and stream(): the two functions under everything.

What they need is imported when they are called, so that asking for their names costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saliency_widget.explainer.explainer import Explainer, LayerChoice, Step
    from saliency_widget.explainer.ready import Ready
    from saliency_widget.targets import Box


def stream(
    model: Any,
    image: Any,
    *,
    target: Any = None,
    method: Any = "gradient",
    preprocess: Any = None,
    labels: Any = None,
    inputs: Any = None,
    fast: bool | str | None = None,
) -> Iterator[Any]:
    """Like :func:`explain`, yielding every estimate as it comes; the last is the result.

    Everything is validated when this is called, for every image, not when the first estimate is taken. To stop, take no
    more.

    Parameters
    ----------
    model, image, target, method, preprocess, labels, inputs, fast
        As in :func:`explain`.

    Yields
    ------
    Attribution, or list of Attribution, or list of these
        What :func:`explain` returns, as far as it is known. A list of images is worked through in order: the list that
        stands for it begins with one entry and gets another when the next image begins; those of earlier images are
        final.
    """
    from saliency_widget.explainer.ready import make_ready

    (row,) = make_ready(
        [model],
        image,
        target=target,
        method=method,
        preprocess=preprocess,
        labels=labels,
        inputs=inputs,
        fast=fast,
        stacklevel=2,
    )
    if isinstance(image, (list, tuple)):
        return (results for results, _ in _one_after_another(row))
    (ready,) = row
    return (ready.result(step) for step in ready.steps())


def explain(
    model: Any,
    image: Any,
    *,
    target: Any = None,
    method: Any = "gradient",
    preprocess: Any = None,
    labels: Any = None,
    inputs: Any = None,
    fast: bool | str | None = None,
    progress: bool = False,
) -> Any:
    """What the model's score of this picture is sensitive to.

    Parameters
    ----------
    model
        A torch vision model that maps pictures (N, C, H, W) to scores (N, classes), (N, classes, h, w), boxes, vectors,
        or to anything of which a :class:`Score` can be computed. It is never changed. Its forward must not be random in
        evaluation mode.
    image
        A path, a PIL image, an array (H, W, 3), or a float tensor (C, H, W) that is already preprocessed; or a list of
        these, which need not have one size.
    target
        None (the predicted class of each image), a class index, a label, a :class:`Target` such as
        ``Probability("tabby")`` or ``Contrast("tabby", "lynx")``, or a list of these, of any kinds, which share the
        forward passes. Of a segmentation a class is its :class:`Segment`, of a detector its most probable box.
    method
        A name ("gradient") or an object with its parameters.
    preprocess
        A transform, torchvision weights, an image processor of Hugging Face, a preset name ("imagenet", "tf", "caffe",
        "none") or a :class:`Preprocess`. None is what the model itself says.
    labels
        Names of the classes, in order. None is what the model itself says.
    inputs
        What else the model's forward takes, by keyword, and what is held constant: ``{"pixel_mask": mask}``. A tensor
        whose first dimension is 1 is repeated for each row of a batch; for a list of n > 1 images, one whose first
        dimension is n gives each image its row; any other, such as the tokens of several texts, is the same for all.
        Tensors are brought to the model's device, floats to its type; what was given is never changed. For a list of
        images it can also be a list of such dicts, one for each.
    fast
        How the model is computed, which changes a map by rounding at most. None: what is as exact as the model itself,
        against float64, and quickest, as soon as it has been explained so often that measuring it pays. True: the same,
        measured at once. False: as it is. Or "plain", "channels_last", "packed" (with weights as the CPU's library
        wants them), "folded" (each BatchNorm into the convolution before it), "folded, channels_last" or "folded,
        packed", whatever it costs and however exact. ``provenance["way"]`` says what it was.
    progress
        Show a progress bar.

    Returns
    -------
    Attribution, or list of Attribution, or list of lists of Attribution
        One for each image and each target: a list over the images of lists over the targets. Where ``target`` is not a
        list, the inner level is dropped; where ``image`` is not, the outer one. ``values`` is the derivative of the
        score with respect to the pixels after resize and crop and before normalisation, black at 0 and full scale at 1,
        or what the method makes of such derivatives.

    Raises
    ------
    InputError
        An argument cannot work. Raised before any work, for every image.
    ModelError
        The model cannot be explained as it is.
    """
    from saliency_widget.explainer.ready import make_ready

    many = isinstance(image, (list, tuple))
    (row,) = make_ready(
        [model],
        image,
        target=target,
        method=method,
        preprocess=preprocess,
        labels=labels,
        inputs=inputs,
        fast=fast,
        stacklevel=2,
    )
    results: list[Any] = []
    if progress:
        from tqdm.auto import tqdm

        # A total from the beginning, of which the first estimate knows more: a bar without one shows no progress.
        with tqdm(desc=row[0].method.label, leave=False, total=len(row)) as bar:
            before = 0
            for results, step in _one_after_another(row):
                # How much there is to do is known of the image at hand; the others are taken to be like it.
                bar.total = before + step.total * (len(row) - len(results) + 1)
                bar.update(before + step.done - bar.n)
                bar.refresh()
                before += step.done if step.final else 0
    else:
        for results, _ in _one_after_another(row):  # noqa: B007  (the last counts)
            pass
    return results if many else results[0]


def layers(
    model: Any, image: Any, *, target: Any = None, preprocess: Any = None, labels: Any = None, inputs: Any = None
) -> tuple[LayerChoice, ...]:
    """List the layers that a class activation map can be made of, from the input to the output.

    Parameters
    ----------
    model, image, target, preprocess, labels, inputs
        As in :func:`explain`, for one image and one target.

    Returns
    -------
    tuple of LayerChoice
        Each with its ``name``, as ``GradCAM(layer=name)`` takes it, its ``kind`` and its ``grid`` (height, width) in
        cells; a layer that the score does not depend on is left out. Empty where there is none, as in a ScriptModule.

    Raises
    ------
    InputError
        An argument cannot work.
    ModelError
        The model cannot be explained as it is.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> [layer.name for layer in sw.layers(model, "cat.jpg")]  # doctest: +SKIP
    """
    if target is not None:
        from saliency_widget.explainer.early import check_early
        from saliency_widget.models.labels import read_labels
        from saliency_widget.models.unwrap import unwrap
        from saliency_widget.targets import as_target

        check_early(unwrap(model), read_labels(labels), [as_target(target)])
    return _explainer(model, image, preprocess, labels, inputs).layers(target)


def boxes(
    model: Any, image: Any, *, least: float = 0.05, preprocess: Any = None, labels: Any = None, inputs: Any = None
) -> tuple[Box, ...]:
    """List the boxes that a detector sees in a picture, most probable first.

    Parameters
    ----------
    model, image, preprocess, labels, inputs
        As in :func:`explain`, for one image. The model is a detector of torchvision (Faster, Mask and Keypoint R-CNN,
        RetinaNet, FCOS, SSD) or one with queries, which returns ``logits`` and ``pred_boxes`` (DETR, YOLOS and their
        kind in Hugging Face).
    least
        Leave out boxes that are less probable.

    Returns
    -------
    tuple of Box
        Each with its ``box`` (top, left, bottom, right) in pixels of the picture that the model sees, its ``label``,
        its ``probability``, and the ``target`` that explains it: a :class:`Detection`, bound to the query, the anchor
        or the region that the box came from.

    Raises
    ------
    InputError
        An argument cannot work, or the model is no detector.

    Examples
    --------
    >>> import saliency_widget as sw
    >>> best = sw.boxes(model, "street.jpg")[0]  # doctest: +SKIP
    >>> sw.explain(model, "street.jpg", target=best.target)  # doctest: +SKIP
    """
    return _explainer(model, image, preprocess, labels, inputs).boxes(least)


def _explainer(model: Any, image: Any, preprocess: Any, labels: Any, inputs: Any) -> Explainer:
    from saliency_widget.engine.inputs import check_inputs
    from saliency_widget.explainer.explainer import Explainer
    from saliency_widget.models.labels import read_labels
    from saliency_widget.models.unwrap import unwrap

    names = read_labels(labels)
    check_inputs(inputs, unwrap(model))
    return Explainer(model, image, preprocess=preprocess, labels=names, inputs=inputs)


def _one_after_another(row: tuple[Ready, ...]) -> Iterator[tuple[list[Any], Step]]:
    """The results so far, one for each image that has begun, and the step that brought the last."""
    finished: list[Any] = []
    for ready in row:
        step: Step | None = None
        for step in ready.steps():
            yield [*finished, ready.result(step)], step
        assert step is not None, "a method yields at least one estimate"
        finished.append(ready.result(step))

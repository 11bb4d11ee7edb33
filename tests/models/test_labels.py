"""Names of classes, where they come from, and which class a text means."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import timm
import torchvision
from timm.data import ImageNetInfo
from torch import nn

from saliency_widget.errors import InputError
from saliency_widget.models.labels import find_label, labels_for, short_label

IMAGENET = tuple(ImageNetInfo().label_descriptions())
LINEAR = nn.Linear(2, 3)


def with_config(names: object) -> nn.Module:
    model = nn.Linear(2, 3)
    model.config = SimpleNamespace(id2label=names)  # type: ignore[assignment]
    return model


def test_timm_knows_imagenet() -> None:
    model = timm.create_model("tf_efficientnet_lite0")
    names = labels_for(model, None, 1000)
    assert names == IMAGENET
    assert (names[0], names[281], names[999]) == ("tench, Tinca tinca", "tabby, tabby cat", IMAGENET[999])
    assert labels_for(nn.DataParallel(model), None, 1000) == IMAGENET


def test_a_head_of_another_size_has_no_names() -> None:
    assert labels_for(timm.create_model("tf_efficientnet_lite0", num_classes=7), None, 7) == ()
    assert labels_for(torchvision.models.resnet18(), None, 1000) == ()


def test_a_hugging_face_configuration() -> None:
    assert labels_for(with_config({2: "c", 0: "a", 1: "b"}), None, 3) == ("a", "b", "c")
    assert labels_for(with_config({"0": "a", "1": "b", "2": "c"}), None, 3) == ("a", "b", "c")
    assert labels_for(with_config({0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}), None, 3) == ()
    assert labels_for(with_config({0: "a", 1: "b"}), None, 3) == ()
    assert labels_for(with_config({0: "a", 5: "b", 6: "c"}), None, 3) == ()
    assert labels_for(with_config(None), None, 3) == ()


@pytest.mark.parametrize("given", [["a", "b", "c"], ("a", "b", "c"), {1: "b", 0: "a", 2: "c"}, iter("abc")])
def test_labels_that_are_given(given: object) -> None:
    assert labels_for(LINEAR, given, 3) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a", "b"], "2 names"),
        ([], "0 names"),
        ("abc", "is a str"),
        (b"abc", "is a bytes"),
        ({"a", "b", "c"}, "is a set"),
        (3, "is an int"),
        ({0: "a", 1: "b"}, "2 names"),
        ({0: "a", 1: 2}, "class 1"),
        ({1: "a", 2: "b", 3: "c"}, "class 0"),
        ({0: "a", 1: "b", 2: "c", 3: "d"}, "4 names"),
        (["a", 2, "c"], "class 1"),
        (["a", None, "c"], "class 1"),
    ],
)
def test_labels_that_do_not_fit(given: object, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        labels_for(LINEAR, given, 3)
    assert caught.value.argument == "labels"


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("tabby, tabby cat", 281),
        ("tabby", 281),
        ("TABBY CAT", 281),
        ("  tabby   cat ", 281),
        ("tabby_cat", 281),
        ("Egyptian-cat", 285),
        ("flat coated retriever", 205),
        ("tinca tinca", 0),
        ("Persian", 283),
        ("espresso", 967),
        ("maillot, tank suit", 639),
        ("rule", 769),  # one of its synonyms, although other labels have longer words with it
        ("jack-o'-lantern", 607),
    ],
)
def test_a_text_that_names_one_class(text: str, index: int) -> None:
    assert find_label(IMAGENET, text) == index


def test_every_label_finds_its_own_class_where_it_is_unique() -> None:
    for index, label in list(enumerate(IMAGENET))[::9]:
        if label not in ("crane", "maillot"):
            try:
                assert find_label(IMAGENET, label) == index
            except InputError as error:  # a label that is one of the synonyms of another class, too
                assert str(index) in str(error)  # noqa: PT017


@pytest.mark.parametrize(("text", "indices"), [("crane", (134, 517)), ("maillot", (638, 639)), ("panther", (286, 290))])
def test_a_text_that_names_several(text: str, indices: tuple[int, int]) -> None:
    if text == "panther":
        indices = tuple(i for i, label in enumerate(IMAGENET) if "panther" in label.split(", "))  # type: ignore[assignment]
    with pytest.raises(InputError) as caught:
        find_label(IMAGENET, text)
    assert caught.value.argument == "target"
    assert caught.value.value == text
    for index in indices:
        assert f"{index} (" in str(caught.value)


def test_many_fits_are_counted() -> None:
    with pytest.raises(InputError, match=r"fits 7 classes: 281 .* and 2 more"):
        find_label(IMAGENET, "cat")


def test_a_text_that_names_none_gets_the_three_nearest() -> None:
    with pytest.raises(InputError) as caught:
        find_label(IMAGENET, "tabbby")
    assert caught.value.argument == "target"
    assert caught.value.remedy.startswith("The nearest are 'tabby' (281), ")
    assert caught.value.remedy.count("(") == 3
    with pytest.raises(InputError, match=r"'goldfish' \(1\)"):
        find_label(IMAGENET, "gold fish fish")


def test_few_labels_are_all_near() -> None:
    with pytest.raises(InputError, match=r"'cat' \(0\), 'dog' \(1\)\.$"):
        find_label(("cat", "dog"), "caat")


@pytest.mark.parametrize("text", ["", "  ", "_"])
def test_an_empty_text(text: str) -> None:
    with pytest.raises(InputError, match="is empty"):
        find_label(IMAGENET, text)


def test_a_model_without_names() -> None:
    with pytest.raises(InputError, match="Give an index"):
        find_label((), "tabby")


def test_signs_that_mean_something_elsewhere() -> None:
    assert find_label(("c++", "a (b)", "c"), "A (B)") == 1
    assert find_label(("c++ code", "c code"), "c++") == 0


def test_short_labels() -> None:
    assert [short_label(label) for label in ("tabby, tabby cat", "crane", "", ", x")] == ["tabby", "crane", "", ", x"]

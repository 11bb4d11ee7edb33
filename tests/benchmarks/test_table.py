"""The plan, the rows, the page, and the programs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import compare
import gpu
import pytest
import torch
from against import cams, costs, gradients, limit, masks, peers, plan, repeated, samples, session, table, tried
from against.models import CPU
from against.works import Asked, Limits, Planned, Row, Way, Work

ONCE = Limits(1, 0, 1)


def rows_of(subject: Any, make: Any, *options: Any) -> dict[str, Row]:
    """What is found beside each; the maps that have to be the same are."""
    planned = Planned("some work", subject, partial(make, subject, *options))
    found = {row.other: row for row in table.measure(planned, ONCE, [])}
    for row in found.values():
        assert (row.work, row.subject) == ("some work", "small")
        assert not row.differs, (row.other, row.difference)
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_gradients_are_those_of_the_peers(count: int, subject: Any) -> None:
    rows = rows_of(subject, gradients.gradient, count)
    assert all(row.difference < 1e-5 for row in rows.values())
    assert {"bare autograd", "captum Saliency"} <= set(rows)
    assert ("what it runs" in rows) is (count == 1)


@pytest.mark.parametrize("count", [1, 3, None])
def test_class_activation_maps_are_those_of_the_peers(count: int | None, subject: Any) -> None:
    rows = rows_of(subject, cams.grad_cam, count)
    assert all(row.difference < 1e-5 for row in rows.values())
    assert len(rows) >= (1 if count is None else 3)


def test_smoothgrad_is_that_of_the_peers_with_the_same_noise(subject: Any) -> None:
    rows = rows_of(subject, samples.noise, 6)
    assert all(row.difference < 1e-5 for row in rows.values())
    assert {"captum NoiseTunnel", "PAIR"} <= set(rows)
    # With noise of its own a peer's map is another: the comparison would see it.
    other = peers.captum_noise(subject, subject.ranked[0], 6, samples.NOISE, None)
    values = subject.last(samples.sw.SmoothGrad(samples=6, noise=samples.NOISE), subject.ranked[0]).values[0]
    assert samples.relative(values, other()) > 0.01


def test_integrated_gradients_are_those_of_plain_autograd_at_the_same_points(subject: Any) -> None:
    rows = rows_of(subject, samples.path, 16)
    (bare,) = (row for name, row in rows.items() if name.startswith("bare"))
    assert bare.difference < 1e-5
    alphas, weights = samples.points_of(subject, samples.sw.IntegratedGradients(steps=16), subject.ranked[0])
    assert len(alphas) == 16
    assert float(weights.sum()) == pytest.approx(1)
    assert float(alphas.max()) == pytest.approx(1)


def test_the_fewest_steps_that_are_good_enough_are_taken(subject: Any) -> None:
    said: list[int] = []

    def run(steps: int) -> Any:
        said.append(steps)
        return steps

    assert samples._fewest(run, lambda steps: 1 / steps) == (10, 0.1)
    assert said == [5, 7, 10]
    made = samples.path_to_error(subject, 64)
    assert made.ours().shape == (3, 32, 32)
    wanted = samples.midpoints(subject, subject.ranked[0], 64, 8)
    for way in [made.ours, *(way.run for way in made.others.values())]:
        assert samples.relative(way(), wanted) <= samples.ERROR


def test_what_hides_is_compared_with_plain_forward_passes(subject: Any) -> None:
    for make, options in (
        (masks.score_cam, ()),
        (masks.ablation_cam, ()),
        # The last windows are cut off by the border.
        (masks.occlusion, (12,)),
        (masks.occlusion_by_pixels, (4,)),
        (masks.rise, (20,)),
    ):
        rows = rows_of(subject, make, *options)
        assert rows
        # pytorch-grad-cam's Score-CAM is defined otherwise, which the row says.
        same = [row for row in rows.values() if row.alike is not None]
        assert same, make
        assert all(row.difference < 1e-4 for row in same), make


def test_first_pictures_are_of_methods_that_have_later_ones(subject: Any) -> None:
    assert costs.first_picture(subject, samples.sw.Gradient) == []
    assert costs.first_picture(subject, samples.sw.AttentionRollout) == []
    assert isinstance(costs.first_picture(subject, samples.sw.SmoothGrad), Work)


def test_the_shadow_of_a_model_that_writes_into_its_weights_is_a_copy(subject: Any) -> None:
    for make in (costs.shadow_made, costs.shadow_seen, costs.shadow_compared):
        (row,) = rows_of(subject, make).values()
        assert row.asked is not None
        assert row.asked.of == "ours"


@pytest.mark.parametrize("name", costs.FLAT_METHODS)
def test_the_memory_of_a_long_run_stands_beside_that_of_a_short_one(
    name: str, subject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = iter([12.0, 10.0, 40.0])

    def peak(run: Any, _device: torch.device) -> float:
        run()
        return next(peaks)

    monkeypatch.setattr(costs, "peak", peak)
    short, captum = costs.memory_flat(subject, name, 5, 8)
    assert (short.other, short.ours, short.theirs, short.reached) == ("5 gradients", [12.0], [10.0], False)
    assert (captum.other, captum.ours, captum.theirs, captum.reached) == ("captum", [12.0], [40.0], None)
    monkeypatch.setattr(costs, "peak", lambda _run, _device: None)
    assert costs.memory_flat(subject, name, 5, 8) == []


def test_rounding_is_compared_with_float64(subject: Any) -> None:
    (row,) = rows_of(subject, costs.rounding, 3, 2, 2).values()
    assert all(0 < one < 1e-5 for one in [*row.ours, *row.theirs])
    assert "mean over 12" in row.note


def test_maps_may_be_apart_by_what_float32_leaves_uncertain_and_no_more(subject: Any) -> None:
    assert 0 < subject.rounding < 1e-5
    loose = replace(subject)
    loose.__dict__["rounding"] = 0.01
    for made, off, differs in ((subject, 0.02, True), (loose, 0.02, False), (loose, 0.04, True)):
        ways = {"x": Way(lambda: None, None, lambda _ours, _theirs, off=off: off)}
        (found,) = table.measure(Planned("w", made, partial(Work, lambda: None, ways)), ONCE, [])
        assert found.differs is differs


# -- the page -----------------------------------------------------------------------------------------------------


def row(work: str, subject: str, ratio: float, asked: Asked | None, **more: Any) -> Row:
    return Row("bare autograd", [10 * ratio] * 3, [10.0] * 3, "ms", asked, work=work, subject=subject, **more)


def test_what_is_asked_on_two_models_may_be_missed_on_the_third() -> None:
    asked = Asked(0.85, models=2)
    rows = [row("gradient", "A", 0.8, asked), row("gradient", "B", 0.9, asked), row("gradient", "C", 0.7, asked)]
    assert table.missed(rows) == []
    rows[0] = row("gradient", "A", 0.9, asked)
    assert [one.subject for one in table.missed(rows)] == ["A", "B"]
    assert [one.subject for one in table.missed([row("other", "A", 2, Asked(1.0))])] == ["A"]


FACTS = dict.fromkeys(("versions", "ways", "command", "clock"), "known")
FACTS |= {"machine": "a machine", "load": "load average 1"}


def test_a_page_says_what_is_missed_and_what_was_tried_and_nothing_of_what_is_reached() -> None:
    rows = [
        row("gradient, 1 class", "A", 0.5, Asked(1.0), difference=1e-7, alike=1e-3, note="a note."),
        row("Grad-CAM, 1 class", "A", 2.0, Asked(1.5), difference=0.5, alike=1e-3),
        row("RISE", "A", 3.0, Asked(1.0)),
    ]
    known = {"Grad-CAM": "It was tried three ways.", "gradient": "Nothing."}
    text = table.text(table.Page(FACTS, rows, ["something, which is not there"]), compare.HEAD, known)
    assert "| gradient, 1 class | A | bare autograd | 0.50 (0.50–0.50) | -5 ms | 1.00 | yes | 1e-07 |" in text
    assert "| 2.00 (2.00–2.00) | +10 ms | 1.50 | **missed** | 5e-01 **differs** |" in text
    missed = "- Grad-CAM, 1 class, A, against bare autograd: 2.00, asked 1.50"
    assert f"### Grad-CAM\n\n{missed}\n\nIt was tried three ways.\n" in text
    assert text.endswith("### Of which nothing is written yet\n\n- RISE, A, against bare autograd: 3.00, asked 1.00\n")
    assert "Of 3 numbers 2 are missed." in text
    assert "Nothing.\n" not in text
    assert "- gradient, 1 class: a note." in text
    assert "- Left out: something, which is not there." in text
    assert "on a machine;\nload average 1. known.\n" in text


def test_a_heading_is_the_beginning_of_a_name() -> None:
    assert tried.of("Grad-CAM", "Grad-CAM, 1 class")
    assert tried.of("integrated gradients, * gradients", "integrated gradients, 16 gradients")
    assert not tried.of("Grad-CAM, 1 class", "Grad-CAM, all classes")
    assert not tried.of("gradient", "integrated gradients, 16 gradients")


def test_a_page_can_be_written_again_from_what_it_was_made_of(tmp_path: Path) -> None:
    rows = [row("a", "A", 1 / 3, Asked(30, "extra"), difference=1e-7), row("b", "A", 2, None, note="n")]
    goal = tmp_path / "page.md"
    session.write(table.Page(FACTS, rows, ["x"]), goal, compare.HEAD)
    first = goal.read_text()
    session.write(session.read(goal), goal, compare.HEAD)
    assert goal.read_text() == first
    assert "0.33" in first


def test_the_plan_has_the_whole_table_and_what_was_tried_is_of_work_in_it(subject: Any) -> None:
    subjects = [replace(subject, name="first"), subject]
    names = [planned.name for quick in (True, False) for planned in plan.planned(subjects, quick=quick)]
    for wanted in (
        "gradient, 1 class",
        "gradient, 20 classes",
        "Grad-CAM, all classes",
        "SmoothGrad, 50 samples",
        "integrated gradients, 50 gradients",
        "integrated gradients, to 10 % error",
        "Score-CAM",
        "Ablation-CAM",
        "occlusion",
        "RISE",
        "first picture, Guided integrated gradients",
        "memory, SmoothGrad",
        "error against float64",
        "shadow, contents compared",
        "import",
    ):
        assert any(name.startswith(wanted) for name in names), wanted
    known = tried.read(session.TRIED)
    assert known
    assert tried.unknown(known, names) == []
    assert tried.unknown(["nonsense"], names) == ["nonsense"]


# -- the programs -------------------------------------------------------------------------------------------------


def _session(subject: Any, tmp_path: Path, **more: Any) -> tuple[session.Session, list[str]]:
    said: list[str] = []
    made = session.Session(tmp_path / "results.md", compare.HEAD, "make bench", CPU, ONCE, say=said.append, **more)
    return made, said


def test_a_run_writes_its_page_and_says_whether_the_maps_are_the_same(subject: Any, tmp_path: Path) -> None:
    made, said = _session(subject, tmp_path)
    work = partial(cams.grad_cam, subject, None)
    wrong = Row("x", [1.0], [1.0], difference=0.5, alike=1e-3)
    steps = [Planned("Grad-CAM, all classes", subject, work), Planned("other", subject, lambda: [wrong])]
    assert made.run(steps, only="Grad-CAM")
    text = (tmp_path / "results.md").read_text()
    assert "| Grad-CAM, all classes | small | a forward pass |" in text
    assert "ended early" not in text
    assert not made.run(steps[1:])
    assert any("another map: other, small" in one for one in said)


def test_a_run_without_time_left_says_what_it_did_not_do(subject: Any, tmp_path: Path) -> None:
    made, _ = _session(subject, tmp_path, seconds=-1)
    assert made.run([Planned("some work", subject, lambda: pytest.fail("no time for this"))])
    assert "Left out: for want of time: some work of small." in (tmp_path / "results.md").read_text()


def test_an_interrupted_run_leaves_what_was_measured(subject: Any, tmp_path: Path) -> None:
    made, _ = _session(subject, tmp_path)

    def stop() -> Any:
        raise KeyboardInterrupt

    first = Planned("first", subject, lambda: [Row("x", [1.0], [2.0])])
    with pytest.raises(KeyboardInterrupt):
        made.run([first, Planned("second", subject, stop)])
    text = (tmp_path / "results.md").read_text()
    assert "**The run ended early**, after first of small" in text
    assert "| first | small | x | 0.50" in text


def run_gpu(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    said: list[str] = []
    monkeypatch.setattr("sys.argv", ["gpu.py", *words])
    return gpu.main(said.append), "\n".join(said)


def test_without_a_gpu_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu, "GOAL", tmp_path / "results_gpu.md")
    code, said = run_gpu(monkeypatch)
    assert code == 2
    assert "no CUDA device here" in said
    assert not list(tmp_path.iterdir())
    with pytest.raises(SystemExit):
        run_gpu(monkeypatch, "--device", "cpu")


def test_the_gpu_has_the_plan_of_the_cpu_and_the_program_runs_without_one(
    monkeypatch: pytest.MonkeyPatch, subject: Any
) -> None:
    monkeypatch.setitem(compare.SUBJECTS, "small", lambda device: subject)
    code, said = run_gpu(monkeypatch, "--list", "--models", "small", "--quick")
    assert code == 0
    assert said.splitlines() == [f"small: {one.name}" for one in compare.plan("small", quick=True)]
    monkeypatch.setattr(gpu, "QUICK", ONCE)
    words = ("--device", "cpu", "--print", "--quick", "--models", "small", "--works", "shadow, looked at")
    code, said = run_gpu(monkeypatch, *words)
    assert code == 0
    assert "| shadow, looked at | small | a forward pass |" in said


def test_repeated_work_is_the_same_compiled_and_only_a_gpu_has_graphs(subject: Any) -> None:
    which, rows = subject.ranked[0], subject.inputs.repeat(3, 1, 1, 1)
    step = limit.one_gradient(subject, which)
    compiled = repeated.compiled(subject, which, backend="eager")
    torch.testing.assert_close(compiled(rows), step(rows))
    assert not rows.requires_grad
    assert list(repeated.forms(subject, which, 3)) == []
    with pytest.raises(ValueError, match="needs a CUDA device"):
        repeated.as_graph(step, rows)
    total = limit.rows(step, rows, 2, torch.tensor([0.5, 0.25, 0.25]))()
    torch.testing.assert_close(total, step(rows)[0])


@pytest.mark.cuda
def test_a_graph_gives_the_same_gradients_and_leaves_earlier_ones_alone(subject: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    here = replace(subject, model=subject.copy().cuda())
    step = limit.one_gradient(here, 0)
    rows = here.inputs.repeat(2, 1, 1, 1)
    graph = repeated.as_graph(step, rows)
    first, second = graph(rows), graph(rows * 0.5)
    torch.testing.assert_close(first, step(rows))
    torch.testing.assert_close(second, step(rows * 0.5))
    torch.testing.assert_close(graph(rows[:1]), step(rows[:1]))


def test_the_plan_makes_nothing_before_its_turn(subject: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "gradient", lambda *_: pytest.fail("too early"))
    assert len(list(plan.planned([subject], quick=False))) > 20

"""Thirty maps a second come, are drawn, and nothing waits behind them."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable

from tests.browser.page import Widget, Wire, until
from tests.lab import Lab

RATE, TOTAL = 30, 90
#: A busy machine draws a fourth of them, and its frames are four times as far apart, before the test fails.
SLACK = 4

# Its estimates cost nothing and come by the clock, so that what is measured is how they travel and are drawn.
STREAM = f"""
import json, time, torch
from dataclasses import dataclass
from typing import ClassVar
import saliency_widget as sw
from saliency_widget.methods import declare
from saliency_widget.methods.base import Estimate, Method, register
from tests.hosts.subject import LABELS, Ten

made = {{}}

@register
@dataclass(frozen=True)
class Thirty(Method):
    total: int = declare.whole({TOTAL}, least=2, most=500)
    name: ClassVar[str] = "thirty"
    label: ClassVar[str] = "Thirty a second"
    summary: ClassVar[str] = "Maps by the clock."

    def compute(self, problem):
        scores = problem.scores(problem.pixels[None])[0]
        maps = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        begin = time.monotonic()
        for done in range(1, self.total + 1):
            time.sleep(max(0, begin + done / {RATE} - time.monotonic()))
            made[done] = 1000 * time.time()
            values = (maps.roll(done, 3)).expand(len(scores), -1, -1, -1)
            yield Estimate(values, scores, done, self.total, done == self.total)

w = sw.SaliencyWidget(Ten().eval(), torch.rand(3, 224, 224), preprocess="none", labels=LABELS).wait()
w
"""
# Which estimates are on display and since when, how often the map was drawn, and when each frame was.
WATCH = """(state) => {
  const seen = (window.__seen = { shown: {}, drawn: 0, frames: [] });
  const note = () => {
    const found = state.textContent.match(/(\\d+) of \\d+/);
    if (found) seen.shown[found[1]] ??= Date.now();
  };
  new MutationObserver(note).observe(state, { childList: true, characterData: true, subtree: true });
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    if (this.canvas.dataset.layer === "map") seen.drawn += 1;
    return put.apply(this, given);
  };
  const next = (now) => { seen.frames.push(now); requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""


def gaps(frames: list[float]) -> list[float]:
    return sorted(after - before for before, after in itertools.pairwise(frames))


def test_thirty_maps_a_second_are_drawn_as_they_come(open_warm: Callable[[list[str]], Lab], wire: Wire) -> None:
    lab = open_warm([STREAM, "0"])
    assert "Traceback" not in lab.run(0)
    widget = Widget(lab.cell(0).locator(".jp-OutputArea"))
    widget.threshold.wait_for()
    widget.stage.scroll_into_view_if_needed()
    widget.field("state").evaluate(WATCH)
    until(lab.page, lambda: len(lab.page.evaluate("window.__seen.frames")) >= 60)
    idle = gaps(lab.page.evaluate("window.__seen.frames"))
    wire.clear()
    lab.page.evaluate("() => { window.__seen.frames.length = 0; window.__seen.drawn = 0; }")
    menu = widget.root.get_by_role("combobox", name="Method")
    menu.select_option("thirty")
    stop = widget.root.get_by_role("button", name="Stop")
    stop.wait_for()
    stop.wait_for(state="hidden")
    seen = lab.page.evaluate("window.__seen")
    acknowledged = sum('"ack"' in text for text in wire.requests)
    made = {int(done): at for done, at in lab.ask(1, "w.wait(); print('JSON' + json.dumps(made))").items()}
    assert len(made) == TOTAL
    shown = {int(done): at for done, at in seen["shown"].items()}
    late = [shown[done] - made[done] for done in sorted(shown)]
    third = max(1, len(late) // 3)
    begin, end = statistics.median(late[:third]), statistics.median(late[-third:])
    busy = gaps(seen["frames"])
    p95 = [times[int(0.95 * (len(times) - 1))] for times in (idle, busy)]
    print(
        f"\n{len(shown)} of {TOTAL} shown, {acknowledged} acknowledged, {seen['drawn']} drawn; late by {begin:.0f} ms "
        f"at first and {end:.0f} at last; frames' 95th percentile {p95[0]:.0f} ms idle, {p95[1]:.0f} while they come"
    )
    assert len(shown) >= TOTAL / SLACK
    # What is on display is the map of which the words speak: one drawing each, but where two came within one frame.
    assert seen["drawn"] >= 0.9 * len(shown)
    # Nothing queues: the last ones are no later than the first ones, but for how far apart the frames are.
    assert end <= 2 * begin + SLACK * p95[1]
    assert p95[1] <= SLACK * max(p95[0], 1000 / RATE)
    # And when it is over, it is over: the map that stays is the last one, and nothing is drawn after it.
    expected = lab.ask(1, "from tests.hosts.subject import drawn; print('JSON' + json.dumps(drawn(w)))")
    widget.stage.scroll_into_view_if_needed()
    until(lab.page, lambda: widget.drawn() == expected)

"""From work to rows, and from rows to the page they stand on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from against.models import Subject
from against.timing import Clock, Spread, in_turn, spread, wall
from against.tried import of
from against.works import Asked, Limits, Planned, Row, Work

TIMES = 3
"""A map may be so many times as far off as bare autograd in float32 is off float64; two maps are each off that far."""
COLUMNS = ("work", "model", "against", "ours / theirs", "ours less theirs", "asked", "reached", "difference")


def measure(planned: Planned, limits: Limits, skipped: list[str], clock: Clock = wall) -> list[Row]:
    """Do a piece of work by all who do it, in turn.

    Parameters
    ----------
    skipped
        Gets what was left out.
    """
    made = planned.make()
    if isinstance(made, Work):
        skipped += made.skipped
        made = _timed(planned.subject, made, limits, clock)
    return [replace(row, work=planned.name, subject=planned.subject.name) for row in made]


def _timed(subject: Subject, work: Work, limits: Limits, clock: Clock) -> list[Row]:
    ours = work.ours()
    differences = {}
    for name, way in work.others.items():
        theirs = (way.check or way.run)()
        differences[name] = None if way.same is None else way.same(ours, theirs)
    ways = {"ours": work.ours, **{name: way.run for name, way in work.others.items()}}
    least = limits.least if work.least is None else min(work.least, limits.least)
    times = in_turn(ways, rounds=limits.rounds, seconds=limits.seconds, least=least, warm=True, clock=clock)
    milliseconds = {name: [1000 * one for one in found] for name, found in times.items()}
    return [
        Row(
            name,
            milliseconds["ours"],
            milliseconds[name],
            "ms",
            way.asked,
            differences[name],
            _alike(subject, way.alike, differences[name]),
            work.note,
        )
        for name, way in work.others.items()
    ]


def _alike(subject: Subject, alike: float | None, difference: float | None) -> float | None:
    """What the difference may be: on a model whose gradients float32 leaves uncertain, as much as that."""
    if alike is None or difference is None or difference <= alike:
        return alike
    return max(alike, TIMES * subject.rounding)


# -- the page -----------------------------------------------------------------------------------------------------


@dataclass
class Page:
    """All that is written down.

    Attributes
    ----------
    rows
        What was found.
    facts
        Of the run: "title", "machine", "versions", "load", "command".
    skipped
        What was left out, and why.
    """

    facts: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def missed(rows: Sequence[Row]) -> list[Row]:
    """Those in which what was asked was not reached; nothing where enough of the models reached it."""
    short = [row for row in rows if row.reached is False]

    def enough(row: Row) -> bool:
        assert row.asked is not None
        if row.asked.models is None:
            return False
        alike = [one for one in rows if (one.work, one.other) == (row.work, row.other)]
        return sum(one.reached is True for one in alike) >= min(row.asked.models, len(alike))

    return [row for row in short if not enough(row)]


def line(row: Row, *, short: bool) -> str:
    """A row of the table; ``short`` where it is missed."""
    cells = (
        row.work,
        row.subject,
        row.other,
        _spread(row.found),
        f"{row.extra.median:+.3g} {row.unit}".strip(),
        asked(row.asked, row.unit),
        "" if row.reached is None else "**missed**" if short else "yes" if row.reached else "no, but on enough models",
        "–" if row.difference is None else f"{row.difference:.0e}" + (" **differs**" if row.differs else ""),
    )
    return f"| {' | '.join(cells)} |"


def _spread(found: Spread) -> str:
    return f"{found.median:.2f} ({found.low:.2f}–{found.high:.2f})"


def asked(what: Asked | None, unit: str) -> str:
    """In words."""
    if what is None:
        return ""
    if what.of == "ratio":
        return f"{what.most:.2f}" + ("" if what.models is None else f" on {what.models} models")
    number = f"{what.most:g} {unit}"
    return f"+{number}" if what.of == "extra" else f"{number} itself"


def text(page: Page, head: str, tried: Mapping[str, str]) -> str:
    """The whole page in Markdown.

    Parameters
    ----------
    head
        With the facts in braces.
    tried
        What was tried, by the work that was missed; see :func:`against.tried.read`.
    """
    short = missed(page.rows)
    wanted = sum(row.asked is not None for row in page.rows)
    lines = [f"Of {wanted} numbers {len(short)} are missed.", ""]
    lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [line(row, short=row in short) for row in page.rows]
    parts = [head.format(**page.facts), *lines, "", *_notes(page), ""]
    if short:
        parts += ["## What is missed, and what was tried", "", *_what_was_tried(short, tried)]
    return "\n".join(parts).rstrip() + "\n"


def _notes(page: Page) -> Iterator[str]:
    works: dict[str, list[str]] = {}
    for row in page.rows:
        if row.note:
            works.setdefault(row.note, []).append(row.work)
    for note, names in works.items():
        yield f"- {'; '.join(dict.fromkeys(names))}: {note}"
    for word in dict.fromkeys(page.skipped):
        yield f"- Left out: {word}."


def _what_was_tried(short: Sequence[Row], known: Mapping[str, str]) -> Iterator[str]:
    for heading, words in known.items():
        rows = [row for row in short if of(heading, row.work)]
        if rows:
            yield from (f"### {heading.replace('*', '…')}", "", *map(_short, rows), "", words, "")
    rows = [row for row in short if not any(of(heading, row.work) for heading in known)]
    if rows:
        yield from ("### Of which nothing is written yet", "", *map(_short, rows), "")


def _short(row: Row) -> str:
    assert row.asked is not None
    value = {"ratio": row.found.median, "extra": row.extra.median, "ours": spread(row.ours).median}[row.asked.of]
    number = f"{value:.2f}" if row.asked.of == "ratio" else f"{value:.1f}"
    return f"- {row.work}, {row.subject}, against {row.other}: {number}, asked {asked(row.asked, row.unit)}"

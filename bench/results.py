"""Results: a line on the terminal as soon as a figure is known, and a file of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figure import Figure

RESULTS = Path(__file__).with_name("results.md")
HEADING = f"{'figure':<76}{'ratio':>7}{'must':>7}{'aim':>7}  {'reached':<8}{'hub':>9}{'plain':>9}"


_ABOUT = (
    "Each figure is a ratio of two numbers measured in turn in one run, the median of its pairs; the two "
    "numbers are those of that pair. How each is measured says its function in this folder."
)


def line(figure: Figure) -> str:
    return (
        f"{figure.name:<76}{figure.ratio:>7.2f}{_goal(figure.must):>7}{_goal(figure.aim):>7}  "
        f"{figure.reaches:<8}{figure.of_hub:>9.1f}{figure.of_plain:>9.1f} {figure.unit}"
    )


def markdown(figures: Sequence[Figure], machine: Mapping[str, str], minutes: float) -> str:
    """The whole of `results.md`."""
    rows = [
        f"| {figure.name} | **{figure.ratio:.2f}** | {_bound(figure, figure.must)} | "
        f"{_bound(figure, figure.aim)} | {figure.reaches} | {figure.of_hub:.1f} | {figure.of_plain:.1f} "
        f"| {figure.unit} |"
        for figure in figures
    ]
    about = [f"- {name}: {value}" for name, value in machine.items()]
    return "\n".join(
        (
            "# Figures",
            "",
            f"Written by `make bench`, which took {minutes:.0f} minutes. {_ABOUT}",
            "",
            *about,
            "",
            "| figure | ratio | must | aim | reached | the first | the second | of |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        )
    )


def _goal(goal: float | None) -> str:
    return "-" if goal is None else f"{goal:.2f}"


def _bound(figure: Figure, goal: float | None) -> str:
    if goal is None:
        return "-"
    return f"{'≤' if figure.smaller_is_better else '≥'} {goal:g}"

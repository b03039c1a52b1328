"""An evaluation, and a comparison of two, as a person reads them."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from pipeline.evaluation.compare import Comparison, Difference
from pipeline.evaluation.faithfulness import EvidenceFigure
from pipeline.evaluation.result import ALL, Figure, Result

TITLES = {
    "micro_f1": "micro-F1",
    "macro_f1": "macro-F1",
    "brier": "Brier",
    "ece": "ECE",
    "char_bleu2": "char BLEU-2",
    "word_bleu2": "word BLEU-2",
    "token_f1": "token F1",
    "exact": "exact",
    "answered": "answered",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
}
_WORDS = {
    "a": "A is better",
    "b": "B is better",
    "neither shown": "no difference shown",
    "too few messages": "too few messages to tell",
}
_WIDE = 19


def render(result: Result) -> str:
    """All figures, and those of single labels where all messages count."""
    head = (
        f"{result.tagger} ({result.settings}): {result.messages:,} messages, "
        f"{1000 * result.cpu_s_per_message:.2f} CPU-ms a message\n"
        f"[95 % intervals of {result.resamples:,} resamples of the messages]"
    )
    tasks = groupby(result.figures, key=lambda figure: figure.task)
    parts = [head, *(part for task, rows in tasks for part in _task(task, list(rows)))]
    if result.evidence:
        parts.append(render_evidence(result.evidence))
    return "\n\n".join(parts)


def _task(task: str, figures: Sequence[Figure]) -> Iterator[str]:
    whole = [figure for figure in figures if not figure.label]
    rows = groupby(whole, key=lambda figure: (figure.group, figure.messages))
    yield _table(
        f"{task:30} messages",
        [(f"{name:30} {count:8,}", list(row)) for (name, count), row in rows],
    )
    labels = [figure for figure in figures if figure.label and figure.group == ALL]
    if labels:
        by_label = groupby(labels, key=lambda figure: figure.label)
        yield _table(
            f"{f'{task}, by label':39}",
            [(f"{label:39}", list(row)) for label, row in by_label],
        )


def _table(corner: str, rows: Sequence[tuple[str, Sequence[Figure]]]) -> str:
    titles = [f"{TITLES[figure.figure]:{_WIDE}}" for figure in rows[0][1]]
    lines = [
        "  ".join([name, *(f"{_within(figure):{_WIDE}}" for figure in figures)])
        for name, figures in rows
    ]
    return "\n".join(line.rstrip() for line in ["  ".join([corner, *titles]), *lines])


def _within(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return _short(figure.value)
    return f"{_short(figure.value)} [{_short(figure.low)}, {_short(figure.high)}]"


def _short(value: float) -> str:
    """`.592` and `-.013`, as the studies print them."""
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def render_evidence(figures: Sequence[EvidenceFigure]) -> str:
    """Each test, by what it is of."""
    wide = max([18, *(len(one.name) for one in figures)])
    lines = [f"{'evidence':{wide}} {'':17} texts  marks  evidence  random  better by"]
    lines += [
        f"{one.name:{wide}} {one.test:17} {one.texts:5} {one.marks:6}  "
        f"{_short(one.evidence):>8}  {_short(one.random):>6}  "
        f"{_short(one.difference)} [{_short(one.low)}, {_short(one.high)}]"
        for one in figures
    ]
    return "\n".join(lines)


def render_comparison(comparison: Comparison) -> str:
    """Each figure of both, how far they are apart, and what that shows."""
    one, other = comparison.cpu_s_per_message_a, comparison.cpu_s_per_message_b
    lines = [
        f"A: {comparison.a}, {1000 * one:.2f} CPU-ms a message",
        f"B: {comparison.b}, {1000 * other:.2f} CPU-ms a message",
        "[95 % intervals of paired resamples of the messages]",
    ]
    if comparison.left_out:
        lines.append(f"only one of them has: {', '.join(comparison.left_out)}")
    shown = [row for row in comparison.differences if not row.label]
    for (task, group), rows in groupby(shown, key=lambda row: (row.task, row.group)):
        found = list(rows)
        lines += ["", f"{task}, {group}, {found[0].messages:,} messages"]
        lines += map(_difference, found)
    return "\n".join(lines)


def _difference(row: Difference) -> str:
    numbers = (row.a, row.b, row.difference, row.low, row.high)
    a, b, apart, low, high = ("-" if n is None else _short(n) for n in numbers)
    return (
        f"  {TITLES[row.figure]:14} A {a:>5}  B {b:>5}  B - A {apart:>6} "
        f"[{low}, {high}]  {_WORDS[row.better]}"
    )

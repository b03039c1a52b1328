"""For research: python -m pipeline.training.reccon DATA OUTPUT --base FOLDER.

DATA is a folder that holds cause/reccon_train.json and cause/reccon_valid.json (Poria
et al., 2021). OUTPUT gets a network that finds in a dialogue what caused an emotion,
and its card with its figures. The dialogues are DailyDialog's, which is CC BY-NC-SA:
the weights are for research only; groundswell ships none and loads none. FOLDER holds a
BERT and its tokenizer, as of `pipeline.training.base`. The same command goes on where
it was stopped.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError, exit_code
from pipeline.training.files import write_whole
from pipeline.training.finetune import Plan, Training, be_deterministic
from pipeline.training.network import WEIGHTS
from pipeline.training.options import Options, check, keep
from pipeline.training.reccon_data import Target, draw, read_targets
from pipeline.training.reccon_figures import (
    Answer,
    Figures,
    itself,
    measure,
    measure_types,
    nothing,
)
from pipeline.training.reccon_network import PLAN, find_causes, train_reader

TERMS = """\
**For research only. Do not ship these weights, nor use them in a product.** They were
trained on RECCON (Poria et al., 2021), whose texts are DailyDialog's, under CC BY-NC-SA
4.0: not for commercial use. The base's own terms hold, too."""

PUBLISHED = """\
Published, on the test split: span F1 75.7 over all pairs, 60.0 over those with a cause,
86.0 of finding the others, 34.6 exact (SpanBERT); entailment macro-F1 77.1, of causes
66.2, of the others 87.9 (RoBERTa large)."""

_LIMITS = """\
Of everyday talk, two speakers, in English; most of the emotions are happiness. Who is
asked after is known, and what they feel: neither is recognised here."""


class Report(NamedTuple):
    """Figures by whose they are: the network's, simple answers', types of causes'."""

    answers: dict[str, Figures]
    types: dict[str, Figures]


def train(options: Options, output: Path, plan: Plan, *, shown: bool) -> str:
    """Train, or go on; the card, with figures on the validation split.

    Args:
        options: data, base, most targets to learn from, and seed.
        output: folder of the outcome.
        plan: how long.
        shown: draw bars on the terminal.

    Raises:
        InputError: data or base are not what they must be, or there is no room.
    """
    if options.subset is not None and options.subset < 1:
        raise InputError("--subset must be at least 1")
    learned = draw(read_targets(options.data, "train"), options.subset, options.seed)
    judged = read_targets(options.data, "valid")
    check(options)
    keep(options, output)
    if not (output / WEIGHTS).is_file():
        training = Training("reccon", options.base, output, options.seed, shown)
        train_reader(training, learned, plan)
    said = find_causes(output, judged)
    card = to_card(options, len(learned), plan, report(judged, said))
    write_whole(output / "README.md", card.encode())
    return card


def report(targets: Sequence[Target], said: Sequence[Sequence[Answer]]) -> Report:
    """The figures of a network's answers, beside those of simple ones."""
    return Report(
        {
            "this network": measure(targets, said),
            "no cause at all": measure(targets, nothing(targets)),
            "the target as a whole": measure(targets, itself(targets)),
        },
        measure_types(targets, said),
    )


def to_card(options: Options, learned: int, plan: Plan, found: Report) -> str:
    """The model card, in Markdown."""
    lines = [
        "# Model card: causes of emotions in dialogues (RECCON)",
        "",
        TERMS,
        "",
        f"From {options.base.name}; {learned:,} targets (utterances with an emotion",
        f"and all that was said before), {plan.epochs} times; seed {options.seed}.",
        "",
        "## Figures, in per cent, on the validation split",
        "",
        *table(found.answers),
        "",
        PUBLISHED,
        "",
        "By type of cause; a target of two types counts for both:",
        "",
        *table(found.types),
        "",
        "## Limits",
        "",
        _LIMITS,
        "",
    ]
    return "\n".join(lines)


def table(rows: dict[str, Figures]) -> list[str]:
    """Figures in Markdown, one row a name."""
    heads = "targets | spans | span F1 | of causes | exact | of no cause"
    lines = [f"| | {heads} | entailment macro-F1 | of causes | of others |"]
    lines.append("|---" * 10 + "|")
    for name, each in rows.items():
        shares = (
            each.span_f1,
            each.span_f1_causes,
            each.exact_causes,
            each.none_f1,
            each.macro_f1,
            each.cause_f1,
            each.other_f1,
        )
        cells = " | ".join(f"{100 * share:.1f}" for share in shares)
        lines.append(f"| {name} | {each.targets} | {each.spans} | {cells} |")
    return lines


def main() -> int:
    """Train what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=TERMS)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--subset", type=int, help="targets to learn from, at most")
    parser.add_argument("--seed", type=int, default=1)
    given = vars(parser.parse_args())
    output = given.pop("output")
    be_deterministic()
    sys.stderr.write(f"{TERMS}\n")
    options, shown = Options(**given), sys.stderr.isatty()
    return exit_code(
        lambda: sys.stdout.write(train(options, output, PLAN, shown=shown))
    )


if __name__ == "__main__":
    sys.exit(main())

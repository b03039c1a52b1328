"""Ship the Spanish encoder: python -m pipeline.training.spanish_heads RUN DATA OUTPUT.

RUN is the folder that `pipeline.training.spanish` worked in, DATA that of
`pipeline.training.spanish_corpora`. OUTPUT gets the encoder, int8, what spellings say,
and the heads with their scales. Prints how good these are on comments that neither the
encoder nor the spellings nor the scales had seen.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression

from pipeline.tagging.heads import ANY
from pipeline.tagging.spanish import SPELLINGS
from pipeline.training.calibrate import Judged, fit_labels, report
from pipeline.training.corpora import Output
from pipeline.training.export import export
from pipeline.training.spanish import FOLDS
from pipeline.training.spanish_corpora import (
    BRIGHTER,
    Example,
    brighter_spanish,
    outputs,
)
from pipeline.training.spanish_spellings import fit_spellings

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_BASIC = "basic-emotion"
LABELS = tuple(sorted(("anger", "disgust", "fear", "joy", "sadness", "surprise")))


class Heads(NamedTuple):
    """`weight`, outputs x (width of a state + labels of the spelling), and `bias`."""

    weight: Floats
    bias: Floats


def truth_of(examples: Sequence[Example], labels: Sequence[str]) -> Bools:
    """Texts x labels."""
    return np.array([[n in example.labels for n in labels] for example in examples])


def spelt(examples: Sequence[Example]) -> Floats:
    """What spellings say of the examples, each fold's learnt from the others."""
    truth, fold = truth_of(examples, LABELS), np.arange(len(examples)) % FOLDS
    said = np.zeros(truth.shape)
    for number in range(FOLDS):
        rows = np.flatnonzero(fold != number).tolist()
        learnt = fit_spellings([examples[n].text for n in rows], truth[rows])
        for row in np.flatnonzero(fold == number).tolist():
            said[row] = learnt.read(examples[row].text).logits
    return said


def shares(encoder: Floats, spelling: Floats, truth: Bools) -> tuple[float, float]:
    """How much each of two opinions counts, for all labels alike."""
    both = np.stack([encoder.ravel(), spelling.ravel()], axis=1)
    fitted = LogisticRegression(C=100.0).fit(both, truth.ravel())
    first, second = fitted.coef_[0].round(3).tolist()
    return first, second


def judge(run: Path, data: Path) -> tuple[list[Judged], Heads]:
    """What all is judged by on Spanish comments, and the heads that judge so.

    The encoder alone comes first, then the spelling alone, both together last.
    """
    examples = brighter_spanish(data)
    truth = truth_of(examples, LABELS)
    names = outputs(data)
    rows = [names.index(Output(BRIGHTER, label)) for label in LABELS]
    encoder = np.load(run / "judged.npz")["said"][:, rows].astype(np.float64)
    spelling = spelt(examples)
    first, second = shares(encoder, spelling, truth)
    both = first * encoder + second * spelling
    held = load_file(run / "encoder" / "heads.safetensors")
    weight = np.hstack([first * held["weight"][rows], second * np.eye(len(LABELS))])
    judged = [
        Judged(
            name,
            _BASIC,
            list(LABELS),
            [BRIGHTER],
            logits,
            truth,
            pooled=False,
            macro=True,
        )
        for name, logits in (("encoder", encoder), ("spelling", spelling), (ANY, both))
    ]
    return judged, Heads(weight, first * held["bias"][rows])


def to_toml(judged: Judged) -> str:
    """What emotions.toml holds; the outputs are in the labels' order."""
    everything = np.ones(len(judged.truth), dtype=bool)
    scales = fit_labels(judged, everything)
    lines = [
        "# Written by pipeline/training/spanish_heads.py.",
        "",
        f"[heads.{judged.task}.{judged.platform}]",
    ]
    for number, (label, scale) in enumerate(zip(judged.labels, scales, strict=True)):
        lines.append(
            f"{label} = {{ outputs = [{number}], slope = {scale.slope}, "
            f"bias = {scale.bias}, threshold = {scale.threshold} }}"
        )
    return "\n".join([*lines, ""])


def ship(run: Path, data: Path, output: Path) -> str:
    """Write all files; how good they are."""
    export(run / "encoder", output)
    (output / "heads.json").unlink()
    examples = brighter_spanish(data)
    texts = [example.text for example in examples]
    fit_spellings(texts, truth_of(examples, LABELS)).save(output / SPELLINGS)
    judged, heads = judge(run, data)
    weight, bias = (part.astype(np.float16) for part in heads)
    np.savez(output / "emotions.npz", weight=weight, bias=bias)
    (output / "emotions.toml").write_text(to_toml(judged[-1]), encoding="utf-8")
    return report(judged)


def main() -> int:
    """Ship what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("run", "data", "output"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    sys.stdout.write(ship(given.run, given.data, given.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())

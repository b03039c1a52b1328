"""Ship the Spanish encoder: python -m pipeline.training.spanish_heads RUN DATA OUTPUT.

RUN is the folder that `pipeline.training.spanish` worked in, DATA that of
`pipeline.training.spanish_corpora`, with `streams/` beside `emotion/`. OUTPUT gets the
encoder, int8, what spellings say, and the heads with their scales. Prints how good
these are on comments and sentences that neither encoder nor spellings nor heads nor
scales had seen.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pipeline.tagging.calibration import Scale
from pipeline.tagging.encoder import Encoder
from pipeline.tagging.fit_lexicon import calibration_error, rates
from pipeline.tagging.heads import ANY
from pipeline.tagging.spanish import CALM, CALM_SPELLINGS, SPELLINGS
from pipeline.training.calibrate import Judged, fit_labels, report, scale_line
from pipeline.training.corpora import Output
from pipeline.training.export import export
from pipeline.training.spanish import FOLDS
from pipeline.training.spanish_calm import (
    ALWAYS,
    Calm,
    Material,
    balanced,
    fit_calm,
    material,
    states,
)
from pipeline.training.spanish_corpora import BRIGHTER, brighter_spanish, outputs
from pipeline.training.spanish_spellings import fit_spellings

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_BASIC = "basic-emotion"
_HEADER = "# Written by pipeline/training/spanish_heads.py."
_MARGIN = 0.001
"""More than what rounding may take away."""

SOCIAL = ("twitter", 1.1)
"""Where more is felt than in developers' talk, and what is added there to the log-odds
of any emotion: three texts in four show one. Of BRIGHTER's comments 99 % do."""

LABELS = tuple(sorted(("anger", "disgust", "fear", "joy", "sadness", "surprise")))


class Opinions(NamedTuple):
    """What is said of texts that those who say it had not seen.

    `encoder` and `spelling` are texts x labels, how likely each is if there is any;
    `felt`, one number a text, whether there is any: log-odds, all of them.
    """

    encoder: Floats
    spelling: Floats
    felt: Floats


def truth_of(labels: Sequence[frozenset[str]]) -> Bools:
    """Texts x labels."""
    return np.array([[name in given for name in LABELS] for given in labels])


def opinions(run: Path, data: Path, held: Material, comments: int) -> Opinions:
    """Of all texts that some fold leaves out, the first `comments` being comments."""
    truth, names = truth_of(held.labels), outputs(data)
    of_comments = np.arange(len(held.texts)) < comments
    encoder, spelling = np.zeros(truth.shape), np.zeros(truth.shape)
    felt = np.zeros(len(truth))
    for number in range(FOLDS):
        folder, out = run / f"fold-{number}", held.fold == number
        pooled, asked = states(folder, names, held.texts), held.where(out)
        encoder[out] = _logits(folder, names, pooled[out])
        seen = of_comments & ~out
        learnt = fit_spellings(held.where(seen).texts, truth[seen])
        spelling[out] = [learnt.read(text).logits for text in asked.texts]
        calm = fit_calm(pooled[~out], held.where(~out))
        felt[out] = calm.felt(pooled[out], asked.texts)
    asked_all = held.fold != ALWAYS
    return Opinions(encoder[asked_all], spelling[asked_all], felt[asked_all])


def _logits(folder: Path, names: list[Output], pooled: Floats) -> Floats:
    weight, bias = _heads(folder, names)
    logits: Floats = pooled @ weight.T + bias
    return logits


def _heads(folder: Path, names: list[Output]) -> tuple[Floats, Floats]:
    """Weight, labels x width, and bias of the heads that learnt from comments."""
    rows = [names.index(Output(BRIGHTER, label)) for label in LABELS]
    held = load_file(folder / "heads.safetensors")
    return held["weight"][rows], held["bias"][rows]


def shares(encoder: Floats, spelling: Floats, truth: Bools) -> tuple[float, float]:
    """How much each of two opinions counts, for all labels alike."""
    both = np.stack([encoder.ravel(), spelling.ravel()], axis=1)
    fitted = LogisticRegression(C=100.0).fit(both, truth.ravel())
    first, second = fitted.coef_[0].round(3).tolist()
    return first, second


def judged(said: Opinions, truth: Bools, weights: tuple[float, float]) -> list[Judged]:
    """What comments are judged by, were each sure to show an emotion.

    The encoder alone comes first, then the spelling alone, both together last.
    """
    first, second = weights
    both = first * said.encoder + second * said.spelling
    return [
        Judged(
            name,
            _BASIC,
            list(LABELS),
            [BRIGHTER],
            logits[: len(truth)],
            truth,
            pooled=False,
            macro=True,
        )
        for name, logits in (
            ("encoder", said.encoder),
            ("spelling", said.spelling),
            (ANY, both),
        )
    ]


def likely(scales: Sequence[Scale], logits: Floats, felt: Floats) -> Floats:
    """How likely each label is, texts x labels: any emotion, and then this one."""
    slopes = np.array([scale.slope for scale in scales])
    biases = np.array([scale.bias for scale in scales])
    product: Floats = expit(logits * slopes + biases) * expit(felt)[:, None]
    return product


def scale_felt(felt: Floats, shown: Bools, counts: Floats) -> Scale:
    """What the log-odds of any emotion mean where half of the texts show one.

    Args:
        felt: of texts, by what had not seen them.
        shown: whether a text shows an emotion.
        counts: what each counts, as when it is learnt from.
    """
    model = LogisticRegression(C=100.0)
    even = balanced(shown, counts)
    fitted = model.fit(felt[:, None], shown, sample_weight=even)
    slope, bias = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return Scale(round(slope, 3), round(bias, 3), 0.5)


def calmed_report(both: Judged, said: Opinions, held: Material, logits: Floats) -> str:
    """How good all that is shipped is, on comments and on developers' sentences.

    Each on a platform of its own kind; see `SOCIAL`.

    Args:
        both: what comments are judged by; scales are fitted on it.
        said: of comments, then of sentences.
        held: these.
        logits: of them, were each sure to show an emotion.
    """
    comments, truth = len(both.truth), truth_of(held.labels)
    scores, flagged = np.zeros(truth.shape), np.zeros(truth.shape, bool)
    for number in range(FOLDS):
        out = held.fold == number
        scales = fit_labels(both, ~out[:comments])
        calm = scale_felt(said.felt[~out], _any(truth[~out]), held.counts[~out])
        felt = calm.slope * said.felt[out] + calm.bias
        felt[: int(out[:comments].sum())] += SOCIAL[1]
        scores[out] = likely(scales, logits[out], felt)
        flagged[out] = scores[out] >= [scale.threshold for scale in scales]
    return _on_comments(
        scores[:comments], flagged[:comments], both.truth
    ) + _on_sentences(flagged[comments:], truth[comments:])


def _on_comments(scores: Floats, flagged: Bools, truth: Bools) -> str:
    found = [rates(one, true)[0] for one, true in zip(flagged.T, truth.T, strict=True)]
    micro, *_ = rates(flagged.ravel(), truth.ravel())
    error = calibration_error(scores.ravel(), truth.ravel())
    names = zip(LABELS, found, strict=True)
    by_label = ", ".join(f"{label} {f1:.2f}" for label, f1 in names)
    return (
        f"{_BASIC + ', as shipped':32} {len(truth):5} {micro:6.3f} "
        f"{np.mean(found):6.3f} {error:6.3f}\n{by_label}\n"
    )


def _on_sentences(flagged: Bools, truth: Bools) -> str:
    felt, marked, rightly = map(_any, (truth, flagged, flagged & truth))
    return (
        f"sentences: of {(~felt).sum()} calm ones {marked[~felt].mean():.1%} flagged; "
        f"of {felt.sum()} others {marked[felt].mean():.1%}, "
        f"with a true label {rightly[felt].mean():.1%}\n"
    )


def _any(labels: Bools) -> Bools:
    return np.asarray(labels.any(axis=1))


def to_toml(scales: Sequence[Scale]) -> str:
    """What emotions.toml holds; the outputs are in the labels' order."""
    lines = [_HEADER, "", f"[heads.{_BASIC}.{ANY}]"]
    for number, (label, scale) in enumerate(zip(LABELS, scales, strict=True)):
        lines.append(scale_line(label, [number], scale))
    return "\n".join([*lines, ""])


def calm_toml(scales: Sequence[Scale], felt: Scale) -> str:
    """What neutral.toml holds: no text is neutral that an emotion is flagged in.

    A label is no likelier than any emotion is, so with the lowest threshold of all
    nothing is flagged above this one.

    Args:
        scales: of the emotions.
        felt: of the log-odds of any emotion.
    """
    lowest = min(scale.threshold for scale in scales)
    lines, (task, label) = [_HEADER], CALM
    for platform, more in ((ANY, 0.0), SOCIAL):
        bias, threshold = -felt.bias - more, 1 - lowest + _MARGIN
        scale = Scale(felt.slope, round(bias, 3), round(threshold, 3))
        lines += ["", f"[heads.{task}.{platform}]", scale_line(label, [0], scale)]
    return "\n".join([*lines, ""])


def ship(run: Path, data: Path, output: Path) -> str:
    """Write all files; how good they are."""
    export(run / "encoder", output)
    (output / "heads.json").unlink()
    held, comments = material(data), len(brighter_spanish(data))
    written = held.where(held.fold != ALWAYS)
    said = opinions(run, data, held, comments)
    truth = truth_of(written.labels)
    seen = truth[:comments]
    fit_spellings(held.texts[:comments], seen).save(output / SPELLINGS)
    weights = shares(said.encoder[:comments], said.spelling[:comments], seen)
    by = judged(said, seen, weights)
    scales = fit_labels(by[-1], np.ones(comments, dtype=bool))
    felt = scale_felt(said.felt, _any(truth), written.counts)
    (output / "emotions.toml").write_text(to_toml(scales), encoding="utf-8")
    (output / "neutral.toml").write_text(calm_toml(scales, felt), encoding="utf-8")
    _write_heads(output, _heads(run / "encoder", outputs(data)), weights)
    _write_calm(output, held)
    logits = weights[0] * said.encoder + weights[1] * said.spelling
    return report(by) + calmed_report(by[-1], said, written, logits)


def _write_heads(
    output: Path, heads: tuple[Floats, Floats], weights: tuple[float, float]
) -> None:
    """Emotions by the states and their own spellings; that of any has no say."""
    (weight, bias), (first, second) = heads, weights
    own, any_at_all = np.eye(len(LABELS)), np.zeros((len(LABELS), 1))
    _save(
        output / "emotions.npz",
        np.hstack([first * weight, second * own, any_at_all]),
        first * bias,
    )


def _write_calm(output: Path, held: Material) -> None:
    """Fit `neutral` on what the encoder that is shipped makes of all texts."""
    encoder = Encoder(output, 1)
    pooled = np.array([encoder.read(text).pooled for text in held.texts], np.float64)
    calm: Calm = fit_calm(pooled, held)
    calm.spellings.save(output / CALM_SPELLINGS)
    others = np.zeros(len(LABELS))
    weight = -np.concatenate([calm.weight, others, [1.0]])
    _save(output / "neutral.npz", weight[None], np.array([-calm.bias]))


def _save(path: Path, weight: Floats, bias: Floats) -> None:
    np.savez(path, weight=weight.astype(np.float16), bias=bias.astype(np.float16))


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

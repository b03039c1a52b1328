"""Is evidence better than that of models that know nothing?

python -m pipeline.training.null_models DATA

DATA is as for `pipeline.tagging.fit_lexicon`. Of the GitHub comments that the training
of the encoder held out, those that it flags for a basic emotion are explained by it and
by nulls (Adebayo et al., 2018), and the explanations are tested for comprehensiveness
and sufficiency, by the shipped encoder's scores and by the null's own:

- random heads: the shipped encoder, but other directions of the same length;
- random encoder: the shipped heads on an encoder whose every matrix is shuffled;
- shuffled labels: heads fitted to labels of other comments, on the shipped encoder;
- true labels: heads fitted in the same way to the right labels. No null, but what
  tells what the way of fitting is worth.

Every model is scaled to probabilities on comments that it was not fitted on, as the
shipped one is; shuffled labels stay shuffled for it.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from scipy.optimize import minimize
from tqdm import tqdm

from pipeline.config import TaggingSettings
from pipeline.evaluation.faithfulness import (
    EvidenceFigure,
    Pointed,
    pointed,
    probe,
)
from pipeline.evaluation.report import render_evidence
from pipeline.records import Mark
from pipeline.tagging import corpora
from pipeline.tagging.encoder import (
    PACKED,
    SHIPPED,
    Encoder,
    shipped_encoder,
    unpacked,
)
from pipeline.tagging.encoder_tagger import loudest_words
from pipeline.tagging.fit_lexicon import fit_scale
from pipeline.tagging.heads import Heads, load_heads
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag
from pipeline.tagging.word_heads import FILE as WORDS
from pipeline.training.calibrate import held_out, part
from pipeline.training.export import packed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SEED = 7
PLATFORM = "github"
TASK = "basic-emotion"
CAUTION = 10.0
"""How strongly fitted weights are held to 0."""

_MATRIX = 2


class HeadsTagger:
    """Heads on an encoder and nothing else; every mark points at its loudest words.

    Args:
        name: of the model.
        encoder: reads the texts.
        heads: judge them.
    """

    def __init__(self, name: str, encoder: Encoder, heads: Heads) -> None:
        self.name, self._encoder, self._heads = name, encoder, heads

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """A mark of every label for each text that has a word; see `Tagger`."""
        return [self._marks(text.text) for text in texts]

    def _marks(self, text: str) -> list[Mark]:
        if not any(map(str.isalpha, text)):
            return []
        reading = self._encoder.read(text)
        scores = self._heads.scores(reading.pooled)
        return [
            Mark(
                task=task,
                label=label,
                score=float(scores[n]),
                flagged=bool(scores[n] >= self._heads.thresholds[n]),
                evidence=loudest_words(text, reading, self._heads.weight[n]),
                tagger=self.name,
            )
            for n, (task, label) in enumerate(self._heads.keys)
        ]


class Texts(NamedTuple):
    """Texts, their pooled states, texts x width, and truth, texts x labels."""

    texts: list[TextToTag]
    states: Floats
    truth: Bools


def emotion_heads() -> Heads:
    """Those of the shipped heads that judge basic emotions on GitHub."""
    heads = load_heads(SHIPPED, PLATFORM)
    rows = [heads.keys.index((TASK, label)) for label in corpora.SHAVER]
    return Heads(
        [heads.keys[n] for n in rows],
        heads.weight[rows],
        *(numbers[rows] for numbers in heads[2:]),
    )


def random_heads(heads: Heads, random: np.random.Generator) -> Heads:
    """Other directions, each as long as the one it stands for."""
    drawn = random.normal(size=heads.weight.shape)
    lengths = np.linalg.norm(heads.weight, axis=1) / np.linalg.norm(drawn, axis=1)
    return heads._replace(weight=(drawn * lengths[:, None]).astype(np.float32))


def shuffle_encoder(folder: Path, output: Path, random: np.random.Generator) -> Encoder:
    """An encoder like the one in `folder`, the numbers of each matrix shuffled.

    So is what its words say by themselves.
    """
    shutil.copyfile(folder / "tokenizer.json", output / "tokenizer.json")
    for path in sorted(folder.glob(f"*{PACKED}")):
        model = onnx.load_from_string(unpacked(path))
        for tensor in model.graph.initializer:
            if len(tensor.dims) == _MATRIX:
                values = numpy_helper.to_array(tensor).copy()
                random.shuffle(values.reshape(-1))
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        (output / path.name).write_bytes(packed(model))
    if (folder / WORDS).exists():
        with np.load(folder / WORDS) as held:
            parts = dict(held)
        random.shuffle(parts["weight"].reshape(-1))
        with (output / WORDS).open("wb") as file:
            np.savez(file, **parts)
    return Encoder(output, threads=1)


def fit_heads(states: Floats, truth: Bools, like: Heads) -> Heads:
    """Logistic regression of every label on the pooled states."""
    middle = states.mean(axis=0)
    centred, width = states - middle, states.shape[1]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        table = parameters.reshape(-1, width + 1)
        weight, bias = table[:, :width], table[:, width]
        logits = centred @ weight.T + bias
        residual = 1 / (1 + np.exp(-logits)) - truth
        gradient = np.hstack(
            [residual.T @ centred + CAUTION * weight, residual.sum(axis=0)[:, None]]
        )
        cost = np.sum(np.logaddexp(0, logits) - truth * logits)
        return float(cost + CAUTION / 2 * np.sum(weight**2)), gradient.ravel()

    start = np.zeros(truth.shape[1] * (width + 1))
    result = minimize(loss, start, jac=True, method="L-BFGS-B")
    table = result.x.reshape(-1, width + 1)
    weight = table[:, :width].astype(np.float32)
    return like._replace(weight=weight, bias=table[:, width] - weight @ middle)


def scaled(heads: Heads, held: Texts) -> Heads:
    """The heads with one scale, fitted on texts that they were not fitted on."""
    logits = held.states @ heads.weight.T + heads.bias
    middle = logits.mean(axis=0)
    scale = fit_scale((logits - middle).ravel(), held.truth.ravel())
    return heads._replace(
        bias=heads.bias - middle,
        slopes=np.full(len(heads.keys), scale.slope),
        offsets=np.full(len(heads.keys), scale.bias),
    )


def read(encoder: Encoder, corpus: corpora.Corpus, *, show_progress: bool) -> Texts:
    """Everything that is fitted on, or told apart."""
    texts = [TextToTag(text, "en", PLATFORM, ()) for text in corpus.texts]
    states = [
        encoder.read(text.text).pooled
        for text in tqdm(texts, desc="reading", disable=not show_progress)
    ]
    truth = np.array(
        [[label in given for label in corpora.SHAVER] for given in corpus.labels]
    )
    return Texts(texts, np.array(states, dtype=np.float64), truth)


def shuffled(texts: Texts, random: np.random.Generator) -> Texts:
    """The same texts, each with the labels of another."""
    return texts._replace(truth=random.permutation(texts.truth))


def nulls(
    encoder: Encoder, fitted: Texts, held: Texts, folder: Path
) -> Iterator[HeadsTagger]:
    """The shipped heads alone, what is fitted to true labels, and the nulls.

    Args:
        encoder: the shipped one.
        fitted: what heads are fitted on.
        held: what they are scaled on.
        folder: for the shuffled encoder, as long as it is used.
    """
    random = np.random.default_rng(SEED)
    shipped = emotion_heads()
    yield HeadsTagger("shipped", encoder, shipped)
    true = scaled(fit_heads(fitted.states, fitted.truth, shipped), held)
    yield HeadsTagger("true labels", encoder, true)
    other, elsewhere = shuffled(fitted, random), shuffled(held, random)
    false = scaled(fit_heads(other.states, other.truth, shipped), elsewhere)
    yield HeadsTagger("shuffled labels", encoder, false)
    drawn = scaled(random_heads(shipped, random), held)
    yield HeadsTagger("random heads", encoder, drawn)
    blind = shuffle_encoder(SHIPPED, folder, random)
    states = np.array([blind.read(text.text).pooled for text in held.texts])
    lost = scaled(shipped, held._replace(states=states.astype(np.float64)))
    yield HeadsTagger("random encoder", blind, lost)


def explained(tagger: Tagger, marks: Sequence[Pointed]) -> list[Pointed]:
    """The same marks, with the evidence that another tagger gives for them."""
    found = tagger.tag([mark.text for mark in marks])
    evidence = [
        next((m.evidence for m in said if (m.task, m.label) == mark.key), None)
        for mark, said in zip(marks, found, strict=True)
    ]
    return [
        mark._replace(evidence=place)
        for mark, place in zip(marks, evidence, strict=True)
        if place is not None
    ]


def compare(
    marks: Sequence[Pointed], models: Sequence[HeadsTagger], *, show_progress: bool
) -> Iterator[EvidenceFigure]:
    """Each model's explanations of the same marks.

    Those of all but the first are judged twice: by the first one's scores, and by
    their own model's.
    """
    shipped = models[0]
    for model in models:
        given = explained(model, marks)
        for judge in dict.fromkeys([shipped, model]):
            name = f"{model.name}, {'own' if judge is model else 'shipped'} scores"
            with tqdm(desc=name, total=len(given), disable=not show_progress) as bar:
                yield from probe(name, judge, given, bar.update)


def main() -> int:
    """Fit the nulls, explain, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    shown = sys.stderr.isatty()
    github, stack_overflow = (
        corpora.github(given.data),
        corpora.stack_overflow(given.data),
    )
    out, _ = held_out([github, stack_overflow])
    rest = sorted(set(range(len(github.texts))) - set(out))
    encoder = shipped_encoder(1)
    fitted, held = (
        read(encoder, part(github, rows), show_progress=shown)
        for rows in (rest[::2] + rest[1::4], rest[3::4])
    )
    tagger = load_tagger(TaggingSettings(tagger="encoder"), suicidality=False)
    marks = [
        mark
        for mark in pointed(
            tagger, [TextToTag(github.texts[n], "en", PLATFORM, ()) for n in out]
        )
        if mark.key in emotion_heads().keys
    ]
    with tempfile.TemporaryDirectory() as scratch:
        models = list(nulls(encoder, fitted, held, Path(scratch)))
        figures = [
            *probe("as shipped, own scores", tagger, marks),
            *compare(marks, models, show_progress=shown),
        ]
    sys.stdout.write(render_evidence(figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

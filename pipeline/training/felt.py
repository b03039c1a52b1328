"""Tell calm texts from others: python -m pipeline.training.felt DATA [MODEL].

People who labelled comments on GitHub, and posts for BRIGHTER, were given texts that
nearly all show some emotion; heads that learn from them find one in the calmest note.
A further head a platform learns what those texts are beside calm ones: posts on Stack
Overflow and comments on Reddit that were found to show nothing, chats, of which most do
not, and sentences written for this project (calm_sentences.txt).

Writes MODEL/felt.npz and felt.toml (`pipeline.tagging.heads.FELT`). --clean CLEAN is an
encoder that never saw the held-out comments on GitHub; by it the figures are honest.
The same DATA and MODEL give the same files.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import exit_code
from pipeline.tagging.calibration import Scale
from pipeline.tagging.encoder import SHIPPED, Encoder
from pipeline.tagging.heads import (
    FELT,
    GOVERNED,
    Heads,
    heads_of,
    load_outputs,
    load_scales,
)
from pipeline.training import markers_fit
from pipeline.training.calibrate import f1, heads_toml, scale_line
from pipeline.training.corpora import LabelledSet, read_chats, read_sets
from pipeline.training.pooled import read_pooled

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NAME = "felt"
SENTENCES = Path(__file__).parent / "calm_sentences.txt"
SEED = 3
REDDIT = 8_000
CHATS = 1_600
"""Texts that are drawn of those many; as many chats again are judged."""

_LABELLED = {
    "github": "basic-emotion on GitHub",
    "stackoverflow": "basic-emotion on Stack Overflow",
    "goemotions": "fine-emotion",
    "brighter": "emotion intensity, BRIGHTER English",
}
_SHOWN = 0.3
"""From this target on an emotion is there: a third of BRIGHTER's scale of three."""


class Felt(NamedTuple):
    """How a platform's head is learned.

    `counts` says what a text of each set counts; `held` how strongly the weights are
    held to 0, states scaled by their spread. `scale` makes a probability of what the
    head says: it was chosen among sixty so that hardly a text with an
    emotion is lost, of those of `judged`, the set whose held-out texts decide.
    """

    platform: str
    judged: str
    counts: dict[str, float]
    held: float
    scale: Scale


_OTHERS = {"stackoverflow": 1.0, "chats": 0.3, "sentences": 20.0}
PLATFORMS = (
    Felt(
        "github",
        "github",
        _OTHERS | {"github": 6.0, "goemotions": 0.1, "brighter": 0.05},
        held=3_000.0,
        scale=Scale(1.0, 3.0, 0.5),
    ),
    Felt(
        "twitter",
        "brighter",
        _OTHERS | {"github": 0.2, "goemotions": 0.3, "brighter": 6.0},
        held=1_000.0,
        scale=Scale(2.0, 2.0, 0.5),
    ),
)


class Part(NamedTuple):
    """Texts of one kind, and which of them show a feeling."""

    texts: list[str]
    felt: Bools


class Material(NamedTuple):
    """Parts by name: those to learn from, and those to judge by, with their labels.

    `labels` is texts x the labels of `names`, of the held-out texts of a set.
    """

    learned: dict[str, Part]
    unseen: dict[str, Part]
    names: dict[str, list[str]]
    labels: dict[str, Bools]


def gather(data: Path) -> Material:
    """All texts.

    Raises:
        InputError: a file is missing, or is not as its authors publish it.
    """
    found = Material({}, {}, {}, {})
    for one in read_sets(data, ()):
        if one.source.name in _LABELLED:
            _add(found, one)
    chats = [chat.text for chat in read_chats(data, ())]
    order = np.random.default_rng(SEED).permutation(len(chats))
    drawn = [chats[n] for n in order[: 2 * CHATS]]
    found.learned["chats"] = _calm(drawn[::2])
    found.unseen["chats"] = _calm(drawn[1::2])
    found.learned["sentences"] = _calm(SENTENCES.read_text("utf-8").splitlines())
    return found


def _add(found: Material, one: LabelledSet) -> None:
    name, task = one.source.name, _LABELLED[one.source.name]
    columns = [n for n, output in enumerate(one.outputs) if output.task == task]
    names = [one.outputs[n].label.lower() for n in columns]
    shown: Bools = np.nan_to_num(one.targets)[:, columns] >= _SHOWN
    emotions = [n for n, label in enumerate(names) if label != "neutral"]
    felt = np.array(shown[:, emotions].any(axis=1))
    learned = np.flatnonzero(~one.held_out)
    if len(learned) > REDDIT:
        learned = np.random.default_rng(SEED).permutation(learned)[:REDDIT]
    unseen = np.flatnonzero(one.held_out)
    found.learned[name] = Part([one.texts[n] for n in learned], felt[learned])
    if name in {settings.judged for settings in PLATFORMS}:
        found.unseen[name] = Part([one.texts[n] for n in unseen], felt[unseen])
        found.names[name], found.labels[name] = names, shown[unseen]


def _calm(texts: list[str]) -> Part:
    return Part(texts, np.zeros(len(texts), dtype=bool))


class States(NamedTuple):
    """Pooled states of the texts of a material's parts."""

    learned: dict[str, Doubles]
    unseen: dict[str, Doubles]


def read(material: Material, folder: Path) -> States:
    """What the encoder in a folder makes of all texts."""
    encoder = Encoder(folder, 1)
    return States(
        *(
            {name: read_pooled(part.texts, encoder) for name, part in parts.items()}
            for parts in (material.learned, material.unseen)
        )
    )


def fit(
    settings: Felt, material: Material, states: dict[str, Doubles], sentences: Bools
) -> markers_fit.Head:
    """A platform's head, of what it learns from and some of the sentences."""
    kept = {
        name: np.ones(len(part.felt), bool) for name, part in material.learned.items()
    }
    kept["sentences"] = sentences
    parts = [(name, material.learned[name].felt[rows]) for name, rows in kept.items()]
    every = np.concatenate([states[name][rows] for name, rows in kept.items()])
    counts = np.concatenate(
        [np.full(len(felt), settings.counts[name]) for name, felt in parts]
    )
    felt = np.concatenate([felt for _, felt in parts]).astype(np.float64)
    truth = felt[:, np.newaxis]
    return markers_fit.fit_spread(every, truth, counts, settings.held)


def write(heads: Sequence[markers_fit.Head], folder: Path) -> None:
    """felt.npz, in half precision, and felt.toml, as `pipeline.tagging.heads`."""
    markers_fit.Head.of(heads).save(folder / f"{NAME}.npz")
    tables = {
        f"{FELT[0]}.{one.platform}": [scale_line(FELT[1], [number], one.scale)]
        for number, one in enumerate(PLATFORMS)
    }
    (folder / f"{NAME}.toml").write_text(heads_toml(NAME, tables), encoding="utf-8")


def report(
    settings: Felt,
    material: Material,
    states: States,
    head: markers_fit.Head,
    basic: Heads,
) -> str:
    """What a platform's head keeps and takes away, before and after.

    Sentences are judged by heads that were fitted on other ones.

    Args:
        settings: the platform's.
        material: what was learned from, and what is judged.
        states: of it.
        head: the platform's.
        basic: heads that judge as if there were no such head.
    """
    sentences = states.learned["sentences"]
    said = np.zeros((len(sentences), 1))
    for out in markers_fit.folds(len(sentences)):
        other = fit(settings, material, states.learned, ~out)
        said[out] = other.logits(sentences[out])
    rows = [n for n, (task, _) in enumerate(basic.keys) if task == GOVERNED]

    def flags(found: Doubles, said: Doubles) -> tuple[Bools, Bools]:
        scores = np.stack([basic.scores(state)[rows] for state in found])
        felt = markers_fit.probabilities(settings.scale, said)
        least = basic.thresholds[rows]
        return scores >= least, scores * felt >= least

    def of_unseen(name: str) -> tuple[Bools, Bools]:
        return flags(states.unseen[name], head.logits(states.unseen[name]))

    names, truth = material.names[settings.judged], material.labels[settings.judged]
    labels = [basic.keys[n][1] for n in rows]
    shared = [n for n, label in enumerate(labels) if label in names]
    truth = truth[:, [names.index(labels[n]) for n in shared]]
    kept = [f1(flagged[:, shared], truth) for flagged in of_unseen(settings.judged)]
    figures = {
        "micro-F1": [micro for micro, _ in kept],
        "macro-F1": [macro for _, macro in kept],
        "chats flagged": [f.any(axis=1).mean() for f in of_unseen("chats")],
        "calm sentences": [f.any(axis=1).mean() for f in flags(sentences, said)],
    }
    return "\n".join(
        f"  {name:16} {before:.3f} {after:.3f}"
        for name, (before, after) in figures.items()
    )


def main() -> int:
    """Fit, write and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--clean", type=Path)
    given = parser.parse_args()
    return exit_code(lambda: learn(given.data, given.model, given.clean))


def learn(data: Path, model: Path, clean: Path | None) -> None:
    """Fit and write the heads of a model, and say how good they are.

    Raises:
        InputError: data are missing.
    """
    material = gather(data)
    everyone = np.ones(len(material.learned["sentences"].felt), dtype=bool)
    for title, folder in (("this model", model), ("clean", clean)):
        if folder is None:
            continue
        states, heads = read(material, folder), []
        files = (
            load_outputs(folder / "emotions.npz"),
            load_scales(model / "emotions.toml"),
        )
        for settings in PLATFORMS:
            heads.append(fit(settings, material, states.learned, everyone))
            basic = heads_of([files], settings.platform)
            figures = report(settings, material, states, heads[-1], basic)
            sys.stdout.write(
                f"{settings.platform}, {title}: before, after\n{figures}\n"
            )
        if folder == model:
            write(heads, model)


if __name__ == "__main__":
    sys.exit(main())

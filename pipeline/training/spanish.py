"""Train the Spanish encoder: python -m pipeline.training.spanish BASE DATA OUTPUT.

BASE is the folder that `pipeline.training.spanish_base` wrote and DATA that of
`pipeline.training.spanish_corpora`. First the encoder learns from everything but
the Spanish comments of BRIGHTER, then from those: once for each fold that is left out,
whose texts it then judges (OUTPUT/judged.npz, to look at), and once from all of
them, which makes the encoder, OUTPUT/encoder.

What is done is kept: a killed run goes on where it stopped. The same machine gives the
same weights.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from pipeline.training.network import load_network, save_network
from pipeline.training.spanish_corpora import (
    Example,
    auxiliary,
    brighter_spanish,
    outputs,
)
from pipeline.training.spanish_network import Material, Plan, learn, prepare, read

FOLDS = 5
BROAD = Plan("broad", epochs=1, rate=2e-4, tokens=768, seed=1)
NARROW = Plan("narrow", epochs=8, rate=1e-4, tokens=512, seed=1)


class Training:
    """The stages in their order, each of which reads what the one before wrote.

    Args:
        base: the folder of the cut model.
        data: the folder of the labelled texts.
        folder: to work in.
        shown: draw bars on the terminal.
    """

    def __init__(self, base: Path, data: Path, folder: Path, *, shown: bool) -> None:
        self._base, self._folder, self._shown = base, folder, shown
        self._outputs = outputs(data)
        self._tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        self._data = data

    def run(self) -> Path:
        """Do what is not done yet; the folder of the encoder."""
        broad = self._trained("broad", self._base, auxiliary(self._data), BROAD)
        comments = brighter_spanish(self._data)
        self._judge(broad, comments)
        return self._trained("encoder", broad, comments, NARROW)

    def _judge(self, broad: Path, comments: Sequence[Example]) -> None:
        """Write down what networks say of the comments that they did not learn from."""
        path = self._folder / "judged.npz"
        if path.exists():
            return
        material = self._material(comments)
        said = np.zeros_like(material.targets)
        fold = np.arange(len(comments)) % FOLDS
        for number in range(FOLDS):
            seen = [e for e, n in zip(comments, fold, strict=True) if n != number]
            plan = NARROW._replace(title=f"fold {number}")
            folder = self._trained(f"fold-{number}", broad, seen, plan)
            network = load_network(folder, self._outputs)
            left_out = np.flatnonzero(fold == number)
            said[left_out] = read(network, material, left_out.tolist())
        np.savez(path, said=said)

    def _trained(
        self, name: str, start: Path, examples: Sequence[Example], plan: Plan
    ) -> Path:
        """A network's folder, trained from another's unless that is done already."""
        folder = self._folder / name
        if (folder / "model.safetensors").exists():
            return folder
        torch.manual_seed(plan.seed)
        network = load_network(start, self._outputs)
        material = self._material(examples)
        checkpoint = self._folder / f"{name}.checkpoint"
        saved = learn(network, material, plan, checkpoint, shown=self._shown)
        save_network(network, self._outputs, folder, self._base)
        saved.remove()
        return folder

    def _material(self, examples: Sequence[Example]) -> Material:
        return prepare(self._tokenizer, examples, self._outputs)


def main() -> int:
    """Train what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("base", "data", "output"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    training = Training(given.base, given.data, given.output, shown=sys.stderr.isatty())
    sys.stdout.write(f"{training.run()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

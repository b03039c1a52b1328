"""Let the few layers have a say: python -m pipeline.training.few_heads DATA MODEL.

DATA is as for `groundswell train`; MODEL holds an exported encoder with few layers
beside it (shallow.onnx.gz). Those foretell what the other layers say, and err
otherwise. On their states linear heads are fitted to what people say of the labelled
texts and what the other layers say of them, half and half, and from then on what both
say counts in MODEL/emotions.npz. Its scales are to be fitted anew
(`pipeline.training.calibrate`). The same DATA and MODEL give the same file.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from tqdm import tqdm

from pipeline.errors import GroundswellError, InputError
from pipeline.tagging.encoder import Encoder, Floats
from pipeline.tagging.heads import Outputs, load_outputs
from pipeline.training.calibrate import OutputNames
from pipeline.training.corpora import read_sets

Doubles = npt.NDArray[np.float64]

SHARE = 0.35
"""What the few layers count."""

CAUTION = 10.0
"""How strongly the weights of a head are drawn to 0, states scaled by their spread."""

ROUNDS = 100
_AT_ONCE = 200
_NEVER_NAUGHT = 1e-6


class States(NamedTuple):
    """Pooled states, texts x width: of the few layers, and of the others."""

    few: Floats
    others: Floats


def let_speak(data: Path, model: Path) -> None:
    """Fit heads on the few layers' states, and write them beside the others'.

    Raises:
        InputError: data are missing, or there are no few layers without a say.
    """
    path, encoder = model / "emotions.npz", Encoder(model, 1)
    held = load_outputs(path)
    width = held.weight.shape[1] - _width(encoder)
    if width <= 0 or held.weight[:, width:].any():
        raise InputError(
            f"{model} has no few layers that wait for heads: export an encoder with "
            "shallow.safetensors into it"
        )
    names = OutputNames(model)
    others = Outputs(held.weight[:, :width], held.bias)
    weight = np.pad((1 - SHARE) * others.weight, ((0, 0), (0, _width(encoder))))
    bias = (1 - SHARE) * others.bias
    for one in read_sets(data, ()):
        if not all(names.hold(*output) for output in one.outputs):
            continue  # left out of the encoder's training
        rows = [names.of([task], label)[0] for task, label in one.outputs]
        texts = [
            text for text, held in zip(one.texts, one.held_out, strict=True) if not held
        ]
        states = read_states(texts, encoder, one.source.name)
        said = expit(states.others @ others.weight[rows].T + others.bias[rows])
        people = one.targets[~one.held_out]
        wanted = np.where(np.isnan(people), said, (people + said) / 2)
        fitted = fit(states.few, wanted)
        weight[rows, width:] = SHARE * fitted.weight
        bias[rows] += SHARE * fitted.bias
    np.savez(path, weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def _width(encoder: Encoder) -> int:
    """Of the few layers' states."""
    (read,) = encoder.skim(encoder.begin([""]))
    return len(read.pooled)


def read_states(texts: Sequence[str], encoder: Encoder, name: str) -> States:
    """What all layers make of texts; `name` stands before the bar."""
    few, both = [], []
    for start in tqdm(range(0, len(texts), _AT_ONCE), name, disable=None):
        begun = encoder.begin(texts[start : start + _AT_ONCE])
        skimmed = encoder.skim(begun)
        few += [read.pooled for read in skimmed]
        both += [read.pooled for read in encoder.finish(begun, skimmed)]
    width = len(few[0])
    return States(np.stack(few), np.stack(both)[:, :-width])


def fit(states: Floats, wanted: Doubles) -> Outputs:
    """Logistic regressions, one a column of `wanted`, texts x outputs, from 0 to 1."""
    mean, spread = states.mean(axis=0), states.std(axis=0) + _NEVER_NAUGHT
    inputs = np.ones((len(states), states.shape[1] + 1))
    inputs[:, :-1] = (states - mean) / spread
    shape = wanted.shape[1], inputs.shape[1]

    def loss(given: Doubles) -> tuple[float, Doubles]:
        weights = given.reshape(shape)
        logits = inputs @ weights.T
        held = CAUTION * weights
        held[:, -1] = 0
        value = np.logaddexp(0, logits).sum() - (wanted * logits).sum()
        slope = (expit(logits) - wanted).T @ inputs + held
        return value + (held * weights).sum() / 2, slope.ravel()

    found = minimize(
        loss,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": ROUNDS},
    )
    weights = found.x.reshape(shape)
    weight = weights[:, :-1] / spread
    return Outputs(
        weight.astype(np.float32), (weights[:, -1] - weight @ mean).astype(np.float32)
    )


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "model"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    try:
        let_speak(given.data, given.model)
    except GroundswellError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

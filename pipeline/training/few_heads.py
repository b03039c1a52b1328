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
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from pipeline.errors import InputError, exit_code
from pipeline.tagging.encoder import Encoder, Floats
from pipeline.tagging.heads import Outputs, load_outputs
from pipeline.training import markers_fit
from pipeline.training.calibrate import OutputNames
from pipeline.training.corpora import read_sets
from pipeline.training.imitated import read_states

Doubles = npt.NDArray[np.float64]

SHARE = 0.35
"""What the few layers count."""

HELD = 10.0
"""How strongly the weights of a head are held to 0, states scaled by their spread."""

_NEVER_NAUGHT = 1e-6


def let_speak(data: Path, model: Path) -> None:
    """Fit heads on the few layers' states, and write them beside the others'.

    Raises:
        InputError: data are missing, or there are no few layers without a say.
    """
    path, encoder = model / "emotions.npz", Encoder(model, 1)
    names, before = OutputNames(model), load_outputs(path)
    others = _width_of_others(before, encoder)
    if others <= 0 or before.weight[:, others:].any():
        raise InputError(
            f"{model} has no few layers that wait for heads: export an encoder with "
            "shallow.safetensors into it"
        )
    weight, bias = before.weight.copy(), before.bias.copy()
    for one in read_sets(data, ()):
        known = [n for n, output in enumerate(one.outputs) if names.hold(*output)]
        if not known:
            continue
        rows = [names.of([one.outputs[n].task], one.outputs[n].label)[0] for n in known]
        texts = list(compress(one.texts, ~one.held_out))
        states = read_states(texts, encoder, one.source.name)
        said = expit(states.whole @ before.weight[rows].T + before.bias[rows])
        people = one.targets[~one.held_out][:, known]
        wanted = np.where(np.isnan(people), said, (people + said) / 2)
        fitted = fit(states.few, wanted)
        weight[rows, :others] *= 1 - SHARE
        weight[rows, others:] = SHARE * fitted.weight
        bias[rows] = (1 - SHARE) * bias[rows] + SHARE * fitted.bias
    np.savez(path, weight=weight, bias=bias)


def _width_of_others(outputs: Outputs, encoder: Encoder) -> int:
    (read,) = encoder.skim(encoder.begin([""]))
    width: int = outputs.weight.shape[1]
    return width - len(read.mean)


def fit(states: Floats, wanted: Doubles) -> Outputs:
    """Heads, one a column of `wanted`, texts x outputs, from 0 to 1."""
    mean, spread = states.mean(axis=0), states.std(axis=0) + _NEVER_NAUGHT
    scaled = ((states - mean) / spread).astype(np.float64)
    head = markers_fit.fit(scaled, wanted, np.ones(len(scaled)), HELD)
    weight = head.weight / spread
    return Outputs(
        weight.astype(np.float32), (head.bias - weight @ mean).astype(np.float32)
    )


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "model"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    return exit_code(lambda: let_speak(given.data, given.model))


if __name__ == "__main__":
    sys.exit(main())

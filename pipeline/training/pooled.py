"""What heads stand on: the pooled states of texts, as the tagger has them read."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.tagging.encoder import Encoder
from pipeline.tagging.masking import without_blocks

_AT_ONCE = 64


def read_pooled(texts: Sequence[str], encoder: Encoder) -> npt.NDArray[np.float64]:
    """Of each text the state that heads judge, texts x width."""
    said = [without_blocks(text) for text in texts]
    states = []
    for start in tqdm(range(0, len(said), _AT_ONCE), disable=None):
        reads = encoder.finish(encoder.begin(said[start : start + _AT_ONCE]))
        states += [read.pooled for read in reads]
    return np.stack(states).astype(np.float64)

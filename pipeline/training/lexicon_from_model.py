"""Words the model rests on: python -m pipeline.training.lexicon_from_model DATA MODEL.

MODEL is a folder of trained weights whose states the shipped heads judge. Prints a
ranked list: label, word, in how many texts it was found, how much it adds to the
label's logit there on average, and whether the label's word list knows it already.

What a word adds is found by integrated gradients over the embedding layer
(Sundararajan et al., 2017), from a text of padding alone to the text: the method of
arXiv 2312.08299, which read so a lexicon of suicidal behaviour out of a model. Needs
the extra `train`. Nobody should add the words to a list unread.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor, nn
from tqdm import tqdm

from pipeline.tagging import corpora
from pipeline.tagging.encoder import SHIPPED
from pipeline.tagging.heads import Heads, load_heads
from pipeline.tagging.lexicon_tagger import Key, shipped_lexicon
from pipeline.training import markers_texts
from pipeline.training.batches import load_tokenizer
from pipeline.training.network import load_network, outputs_of

STEPS = 20
"""On the way from nothing to the text."""

FEWEST = 2
"""Texts that a word must be found in: what stands in one tells of it alone."""

_LONGEST = 300
"""Characters of a text: gradients of long ones take long, and are spread thin."""


class Added(NamedTuple):
    """What a word adds to a label's logit, over the texts that hold it."""

    key: Key
    word: str
    texts: int
    mean: float
    known: bool


class Explainer:
    """Says what each word of a text adds to a head's logit.

    Args:
        encoder: a transformers BertModel.
        tokenizer: its own.
        steps: more are slower, and nearer to the integral.
    """

    def __init__(self, encoder: nn.Module, tokenizer: Tokenizer, steps: int) -> None:
        self._encoder, self._tokenizer, self._steps = encoder, tokenizer, steps

    def words(self, text: str, weight: Tensor) -> list[tuple[str, float]]:
        """The words of a text in order, each with what it adds to `weight` x states."""
        encoding = self._tokenizer.encode(text)
        return _by_word(text, encoding, self.tokens(encoding.ids, weight).tolist())

    def tokens(self, ids: Sequence[int], weight: Tensor) -> Tensor:
        """What each token adds; together, by how much the text exceeds padding."""
        table = self._encoder.get_input_embeddings()  # type: ignore[operator]
        with torch.no_grad():
            end = table(torch.tensor(list(ids)))
            start = table(torch.zeros(len(ids), dtype=torch.long))
        share = (torch.arange(self._steps) + 0.5) / self._steps
        path = start + share[:, None, None] * (end - start)
        path.requires_grad_(requires_grad=True)
        states = self._encoder(inputs_embeds=path)[0]
        (slope,) = torch.autograd.grad((states.mean(dim=1) @ weight).sum(), path)
        added: Tensor = ((end - start) * slope.mean(dim=0)).sum(dim=-1)
        return added


def _by_word(
    text: str, encoding: Encoding, added: Sequence[float]
) -> list[tuple[str, float]]:
    places: dict[int, tuple[int, int, float]] = {}
    for word, (start, end), value in zip(
        encoding.word_ids, encoding.offsets, added, strict=True
    ):
        if word is not None:
            first, _, total = places.get(word, (start, end, 0.0))
            places[word] = (first, end, total + value)
    return [(text[start:end].lower(), total) for start, end, total in places.values()]


def rank(
    explainer: Explainer, heads: Heads, texts: Sequence[tuple[Key, str]]
) -> list[Added]:
    """The words that add to each label, what adds most first.

    Args:
        explainer: of the encoder that the heads judge.
        heads: that judge the labels.
        texts: labels, and texts that have them.
    """
    found: dict[tuple[Key, str], list[float]] = defaultdict(list)
    for key, text in tqdm(texts, disable=None):
        weight = torch.from_numpy(heads.weight[heads.keys.index(key)])
        most: dict[str, float] = {}
        for word, added in explainer.words(text, weight):
            if word.isalpha():
                most[word] = max(added, most.get(word, added))
        for word, added in most.items():
            found[key, word].append(added)
    ranked = [
        Added(key, word, len(added), sum(added) / len(added), is_known(key, word))
        for (key, word), added in found.items()
        if len(added) >= FEWEST
    ]
    ranked.sort(key=lambda one: (one.key, -one.mean, one.word))
    return [one for one in ranked if one.mean > 0]


def is_known(key: Key, word: str) -> bool:
    """Whether the shipped lists have the word, alone, for the label."""
    lexicon, features = shipped_lexicon()
    spoken = (features[number] for number in lexicon.read(word).places)
    return any((feature.task, feature.label) == key for feature in spoken)


def labelled(data: Path, heads: Heads, most: int) -> list[tuple[Key, str]]:
    """Up to `most` texts of each label that a head judges: markers, basic emotions."""
    given: dict[Key, list[str]] = defaultdict(list)
    for key, text in _pairs(data):
        if key in heads.keys and len(text) <= _LONGEST and len(given[key]) < most:
            given[key].append(text)
    return [(key, text) for key, texts in given.items() for text in texts]


def _pairs(data: Path) -> Iterator[tuple[Key, str]]:
    readings, _ = markers_texts.sad_readings(data)
    for text, labels in zip(readings.texts, readings.labels, strict=True):
        yield from ((("marker", label), text) for label in sorted(labels))
    comments = corpora.github(data)
    for text, labels in zip(comments.texts, comments.labels, strict=True):
        yield from (((comments.task, label), text) for label in sorted(labels))


def to_tsv(ranked: Sequence[Added]) -> str:
    """One word a line."""
    lines = ["task\tlabel\tword\ttexts\tadds\tknown"]
    lines += [
        f"{one.key[0]}\t{one.key[1]}\t{one.word}\t{one.texts}\t{one.mean:.2f}\t"
        f"{'yes' if one.known else 'no'}"
        for one in ranked
    ]
    return "\n".join([*lines, ""])


def main() -> int:
    """Explain, rank and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--texts", type=int, default=200, help="of each label, at most")
    given = parser.parse_args()
    heads = load_heads(SHIPPED, "github")
    network = load_network(given.model, outputs_of(given.model))
    encoder = network.encoder.eval()
    explainer = Explainer(encoder, load_tokenizer(given.model), STEPS)
    texts = labelled(given.data, heads, given.texts)
    sys.stdout.write(to_tsv(rank(explainer, heads, texts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

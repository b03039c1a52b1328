"""Tiny models of transformers, made on the fly: random weights, a few known words."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
)

WORDS = ["i", "hate", "love", "this", "build", "thanks", "for", "your", "help"]
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_LETTERS = "abcdefghijklmnopqrstuvwxyz?!."


def make_classifier(folder: Path, labels: list[str], **config: Any) -> Path:
    """A BERT of one layer that has learned nothing; its size is its window, 32."""
    folder.mkdir(parents=True)
    pieces = [*_SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *WORDS]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)))
    torch.manual_seed(7)
    settings = BertConfig(
        vocab_size=len(dict.fromkeys(pieces)),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=34,
        initializer_range=1.0,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        **config,
    )
    BertForSequenceClassification(settings).save_pretrained(folder)
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder

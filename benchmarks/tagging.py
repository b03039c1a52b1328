"""Chat messages tagged a second, beside VADER and transformers, on one core.

All read lines of Ubuntu's IRC channels from the demo. Ours find the language and mark
64 labels with their evidence; VADER, the lexicon most used on such texts, gives a
polarity. Where torch and transformers are installed, their text-classification pipeline
calls a DistilBERT of 6 layers (random weights: they take as long) one message at a
time. They take turns, so that whatever else the machine does falls on all; the slow
ones read every 40th line.

    uv pip install vaderSentiment
    uv pip install torch transformers  # 6 GB, if you like
    python benchmarks/tagging.py
"""

import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from statistics import median

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.config import TaggerName, TaggingSettings
from pipeline.tagging.encoder import SHIPPED
from pipeline.tagging.language import detect
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import TextToTag

ROUNDS = 5
BATCH = 256
TARGET = 15_000
SLOW = 40
PEER_THREADS = 1
SAMPLE = files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"


def main() -> int:
    """Print all rates and their ratio; 1 when ours misses its target."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    works = {"lexicon": ours("lexicon"), "language": language, "VADER": vader()}
    slow = {"encoder": ours("encoder")}
    if find_spec("torch") and find_spec("transformers"):
        slow["transformers"] = transformers()
    figures = rates_of(texts, works) | rates_of(texts[::SLOW], slow)
    print(
        f"{len(texts):,} messages, {sum(map(len, texts)) / len(texts):.0f} characters"
    )
    for name, figure in figures.items():
        print(f"{name:12} {figure:10,.0f}/s")
    pairs = [("lexicon", "VADER"), ("encoder", "lexicon"), ("encoder", "transformers")]
    for one, other in pairs:
        if other in figures:
            print(f"{one} / {other:14} {figures[one] / figures[other]:8.3f}")
    print(f"target: lexicon {TARGET:,}/s")
    return int(figures["lexicon"] < TARGET)


def rates_of(
    texts: list[str], works: dict[str, Callable[[list[str]], None]]
) -> dict[str, float]:
    """Of each the median rate over rounds in which they take turns."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work(texts[:BATCH])
    for _ in range(ROUNDS):
        for name, work in works.items():
            rates[name].append(rate(texts, work))
    return {name: median(found) for name, found in rates.items()}


def rate(texts: list[str], work: Callable[[list[str]], None]) -> float:
    """Texts a second of CPU, so that a busy machine changes little."""
    begun = time.process_time()
    work(texts)
    return len(texts) / (time.process_time() - begun)


def ours(name: TaggerName) -> Callable[[list[str]], None]:
    """Language and all marks, in batches as the tagging job does it."""
    tagger = load_tagger(TaggingSettings(tagger=name), suicidality=False)

    def work(texts: list[str]) -> None:
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            tagger.tag([TextToTag(text, detect(text), "irc", ()) for text in batch])

    return work


def language(texts: list[str]) -> None:
    """The language alone."""
    for text in texts:
        detect(text)


def vader() -> Callable[[list[str]], None]:
    """Polarity by a lexicon and rules."""
    analyzer = SentimentIntensityAnalyzer()

    def work(texts: list[str]) -> None:
        for text in texts:
            analyzer.polarity_scores(text)

    return work


def transformers() -> Callable[[list[str]], None]:
    """One label by the pipeline that most would reach for, on one thread."""
    torch = import_module("torch")
    library = import_module("transformers")
    torch.set_num_threads(PEER_THREADS)
    torch.manual_seed(0)
    tokenizer = library.PreTrainedTokenizerFast(
        tokenizer_file=str(SHIPPED / "tokenizer.json"),
        pad_token="[PAD]",
        model_input_names=["input_ids", "attention_mask"],
    )
    model = library.DistilBertForSequenceClassification(library.DistilBertConfig())
    classify = library.pipeline(
        "text-classification", model=model.eval(), tokenizer=tokenizer, device="cpu"
    )

    def work(texts: list[str]) -> None:
        for text in texts:
            classify(text)

    return work


if __name__ == "__main__":
    sys.exit(main())

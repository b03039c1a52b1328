"""Chat messages tagged a second, beside VADER, on one core.

All read the demo's 20,000 lines of Ubuntu's IRC channels. Ours finds the language and
marks 64 labels with their evidence; VADER, the lexicon most used on such texts, gives a
polarity. They take turns, so that whatever else the machine does falls on all.

    uv pip install vaderSentiment
    python benchmarks/tagging.py
"""

import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from statistics import median

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.config import TaggingSettings
from pipeline.tagging.language import detect
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import TextToTag

ROUNDS = 5
BATCH = 256
TARGET = 15_000
SAMPLE = files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"


def main() -> int:
    """Print all rates and their ratio; 1 when ours misses its target."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    works = {"ours": ours(), "language": language, "VADER": vader()}
    rates: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work(texts[:BATCH])
    for _ in range(ROUNDS):
        for name, work in works.items():
            rates[name].append(rate(texts, work))
    figures = {name: median(found) for name, found in rates.items()}
    print(
        f"{len(texts):,} messages, {sum(map(len, texts)) / len(texts):.0f} characters"
    )
    for name, figure in figures.items():
        print(f"{name:10} {figure:10,.0f}/s")
    print(f"ours / VADER   {figures['ours'] / figures['VADER']:6.2f}")
    print(f"target: ours {TARGET:,}/s")
    return int(figures["ours"] < TARGET)


def rate(texts: list[str], work: Callable[[list[str]], None]) -> float:
    """Texts a second of CPU, so that a busy machine changes little."""
    begun = time.process_time()
    work(texts)
    return len(texts) / (time.process_time() - begun)


def ours() -> Callable[[list[str]], None]:
    """Language and all marks, in batches as the tagging job does it."""
    tagger = load_tagger(TaggingSettings(), suicidality=False)

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


if __name__ == "__main__":
    sys.exit(main())

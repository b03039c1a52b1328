"""Chat messages tagged a second, beside VADER and transformers, on one core.

All read lines of Ubuntu's IRC channels from the demo, at their natural lengths. Ours
find the language and all marks with their evidence, the encoder in each of its tiers;
VADER, the lexicon most used on such texts, gives a polarity. Where torch and
transformers are installed, their text-classification pipeline calls a DistilBERT of 6
layers (random weights: they take as long) one message at a time. They take turns, so
that whatever else the machine does falls on all; the slow ones read every 40th line,
and none twice, so that no tier gains by remembering.

Last comes how much of the machine's int8 peak the encoder uses: the multiplications a
second of its products of bytes against those of one large one, in the same process; of
a text alone, and of as many texts of one length as the encoder reads in one run.

    uv pip install vaderSentiment onnx
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

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.config import TaggingSettings, Tier
from pipeline.tagging.encoder import SHIPPED, TOGETHER, shipped_encoder
from pipeline.tagging.language import detect
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import TextToTag

ROUNDS = 5
BATCH = 256
TARGET = 15_000
SLOW = 40
TIMES: dict[Tier, float] = {"full": 6, "balanced": 25, "fast": 60}
"""How many times as fast as the pipeline of transformers a tier is to be."""

WARM = ["Thanks, this works", "I hate this, why is it broken again?"] * 20
LAYERS, WIDTH, WIDE = 21, 384, 1536
"""Of the two encoders side by side and the few layers, which `full` reads all."""

PEAK = 1024
PEER_THREADS = 1
SAMPLE = files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"


def main() -> int:
    """Print all rates and their ratios; 1 when ours misses a target."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    lexicon = ours(TaggingSettings(tagger="lexicon"))
    works = {"lexicon": lexicon, "language": language, "VADER": vader()}
    slow: dict[str, Callable[[list[str]], None]] = {
        tier: ours(TaggingSettings(tier=tier)) for tier in TIMES
    }
    if find_spec("torch") and find_spec("transformers"):
        slow["transformers"] = transformers()
    some = list(dict.fromkeys(texts))[::SLOW]
    figures = rates_of([texts] * ROUNDS, works)
    figures |= rates_of([some[n::ROUNDS] for n in range(ROUNDS)], slow)
    print(
        f"{len(texts):,} messages, {sum(map(len, texts)) / len(texts):.0f} characters"
    )
    for name, figure in figures.items():
        print(f"{name:12} {figure:10,.0f}/s")
    print(f"lexicon / VADER {figures['lexicon'] / figures['VADER']:8.3f}")
    missed = figures["lexicon"] < TARGET
    for tier, times in TIMES.items():
        if "transformers" in figures:
            found = figures[tier] / figures["transformers"]
            print(f"{tier:9} / transformers {found:6.1f}   target {times}")
            missed |= found < times
    for count, tokens in ((1, 20), (TOGETHER // 22, 20), (1, 190)):
        share = share_of_peak(count, tokens)
        print(f"int8 of the peak, {count:2} x {tokens:3} tokens {share:6.2f}")
    print(f"target: lexicon {TARGET:,}/s")
    return int(missed)


def rates_of(
    rounds: list[list[str]], works: dict[str, Callable[[list[str]], None]]
) -> dict[str, float]:
    """Of each the median rate over rounds in which they take turns."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work(WARM)
    for texts in rounds:
        for name, work in works.items():
            rates[name].append(rate(texts, work))
    return {name: median(found) for name, found in rates.items()}


def rate(texts: list[str], work: Callable[[list[str]], None]) -> float:
    """Texts a second of CPU, so that a busy machine changes little."""
    begun = time.process_time()
    work(texts)
    return len(texts) / (time.process_time() - begun)


def ours(settings: TaggingSettings) -> Callable[[list[str]], None]:
    """Language and all marks, in batches as the tagging job does it."""
    tagger = load_tagger(settings, suicidality=False)

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


def share_of_peak(texts: int, tokens: int) -> float:
    """The encoder's multiplications a second, of those of one large product."""
    some = [" ".join(["word"] * tokens)] * texts
    each = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * WIDE) * (tokens + 2) * texts
    encoder, product = shipped_encoder(1), large_product()
    reads, products = [], []
    for _ in range(ROUNDS * 4):
        reads.append(seconds(lambda: encoder.finish(encoder.begin(some))))
        products.append(seconds(product))
    return each / median(reads) / (PEAK**3 / median(products))


def seconds(work: Callable[[], object]) -> float:
    """Of CPU."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def large_product() -> Callable[[], object]:
    """PEAK x PEAK bytes times as many, by the library that runs the encoder."""
    random = np.random.default_rng(0)
    weight = random.integers(-64, 64, (PEAK, PEAK), dtype=np.int8)
    given = random.integers(0, 255, (PEAK, PEAK), dtype=np.uint8)
    size = [PEAK, PEAK]
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, size)],
        [helper.make_tensor_value_info("c", TensorProto.INT32, size)],
        [helper.make_tensor("b", TensorProto.INT8, size, weight.tobytes(), raw=True)],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"a": given})


if __name__ == "__main__":
    sys.exit(main())

"""Any text-classification model of transformers, from a folder or the local cache.

Nothing is downloaded, and no code that comes with a model is run.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from pipeline.errors import ConfigError
from pipeline.tagging.lexicon import MAX_CHARACTERS, Span
from pipeline.tagging.transformers_evidence import loudest_words
from pipeline.tagging.transformers_folder import find_model

Floats = npt.NDArray[np.float64]

MAX_WINDOW = 512
"""Tokens that a model sees at once, or fewer if it was made for fewer."""

MAX_WINDOWS = 8
"""Of a text are read; what comes after them is seldom prose."""

TRIAL = "Thanks, I hate this build. Gracias"
"""Judged when a model is loaded: what is broken or incomplete shows in it."""

STEPS = 4
"""From padding to the text, at which a label's gradient is taken."""

_HALF_CHARACTERS = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_MAYBE_UNUSED_POSITIONS = 2
_SIGMOID, _SOFTMAX = "multi_label_classification", "single_label_classification"


class _Window(NamedTuple):
    """Tokens of one text, those that frame them included."""

    text: int
    ids: list[int]


class Classifier:
    """Says how likely each of a model's labels is; threads may share it.

    Args:
        folder: holds the model and its tokenizer, as transformers saves them.
        threads: of torch, which has one such number for the whole process.
        batch: windows that go through the model at once.

    Raises:
        ConfigError: there is no text-classification model in the folder, or it cannot
            judge a text.
    """

    def __init__(self, folder: Path, threads: int, batch: int) -> None:
        torch.set_num_threads(threads)
        self._model, self._tokenizer = _loaded(folder)
        self.is_single_label = _is_single_label(self._model.config, folder)
        self._batch = batch if self._tokenizer.pad_token_id is not None else 1
        self._before, self._after = _frame(self._tokenizer)
        self._size = _window(self._tokenizer, self._model.config)
        self._try_out(folder)

    @property
    def labels(self) -> list[str]:
        """The model's own labels, in the order of its probabilities."""
        names: dict[int, str] = self._model.config.id2label
        return [str(names[number]) for number in sorted(names)]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Texts x labels; a long text's are the mean over its windows' tokens.

        NaN where the model gives no number.
        """
        windows = [
            window for n, text in enumerate(texts) for window in self._windows(n, text)
        ]
        windows.sort(key=lambda window: len(window.ids))
        totals = np.zeros((len(texts), len(self.labels)))
        tokens = np.zeros((len(texts), 1))
        for start in range(0, len(windows), self._batch):
            batch = windows[start : start + self._batch]
            for window, said in zip(batch, self._said(batch), strict=True):
                totals[window.text] += said * len(window.ids)
                tokens[window.text] += len(window.ids)
        return totals / tokens

    def evidence(self, text: str, label: int) -> Span | None:
        """The words of the first window that speak for a label, if places are known.

        A word counts by its integrated gradient (Sundararajan et al. 2017), from
        padding in place of all words: of the label's logit, or of its log-probability
        where labels exclude each other.
        """
        if not self._tokenizer.is_fast or self._tokenizer.pad_token_id is None:
            return None
        encoding = self._encoded(text, return_offsets_mapping=True)
        room = self._size - len(self._before) - len(self._after)
        added = self._added(encoding["input_ids"][:room], label)
        if not np.isfinite(added).all():
            return None
        return loudest_words(text, encoding["offset_mapping"][:room], added)

    def _try_out(self, folder: Path) -> None:
        known = set(self._encoded(TRIAL)["input_ids"])
        if known <= {self._tokenizer.unk_token_id}:
            raise ConfigError(
                f"[tagging.transformers] the tokenizer of {folder} knows no word of a "
                "plain text: fetch its files too (tokenizer.json, or a vocabulary), or "
                "name another model"
            )
        try:
            found = self.probabilities([TRIAL])
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            raise _cannot_be_used(folder, error) from error
        if not np.isfinite(found).all():
            raise ConfigError(
                f"[tagging.transformers] the model in {folder} gives no numbers (NaN) "
                "for a plain text: fetch its weights anew, or name another"
            )

    def _windows(self, number: int, text: str) -> Iterator[_Window]:
        ids = self._encoded(text)["input_ids"]
        room = self._size - len(self._before) - len(self._after)
        for start in range(0, max(1, min(len(ids), room * MAX_WINDOWS)), room):
            yield _Window(
                number, [*self._before, *ids[start : start + room], *self._after]
            )

    def _encoded(self, text: str, **asked: bool) -> Any:
        head = text[:MAX_CHARACTERS].translate(_HALF_CHARACTERS)
        return self._tokenizer(head, add_special_tokens=False, verbose=False, **asked)

    def _said(self, batch: Sequence[_Window]) -> Floats:
        """Windows x labels: probabilities."""
        longest = max(len(window.ids) for window in batch)
        ids = torch.full((len(batch), longest), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, window in enumerate(batch):
            ids[row, : len(window.ids)] = torch.tensor(window.ids)
            mask[row, : len(window.ids)] = 1
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits.double()
            said = logits.softmax(-1) if self.is_single_label else logits.sigmoid()
        probabilities: Floats = said.numpy()
        return probabilities

    def _added(self, ids: Sequence[int], label: int) -> Floats:
        """What each token adds to a label."""
        framed = torch.tensor([[*self._before, *ids, *self._after]])
        first, end = len(self._before), len(self._before) + len(ids)
        blank = framed.clone()
        blank[0, first:end] = self._tokenizer.pad_token_id
        embed = self._model.get_input_embeddings()
        nothing, whole = embed(blank).detach(), embed(framed).detach()
        shares = (torch.arange(STEPS) + 0.5)[:, None, None] / STEPS
        between = (nothing + shares * (whole - nothing)).requires_grad_(True)
        logits = self._model(
            inputs_embeds=between,
            attention_mask=torch.ones_like(framed).expand(STEPS, -1),
        ).logits
        spoken = logits.log_softmax(-1) if self.is_single_label else logits
        (gradient,) = torch.autograd.grad(spoken[:, label].sum(), between)
        by_token = (gradient.mean(0) * (whole - nothing)[0]).sum(-1)[first:end]
        added: Floats = by_token.detach().double().numpy()
        return added


@cache
def load_classifier(model: str, threads: int, batch: int) -> Classifier:
    """The model of a folder or of a name, which a process loads only once.

    Raises:
        ConfigError: it is not on this machine, or cannot classify texts.
    """
    return Classifier(find_model(model), threads, batch)


def _loaded(folder: Path) -> tuple[Any, Any]:
    try:
        with _quiet():
            model, told = AutoModelForSequenceClassification.from_pretrained(
                folder, local_files_only=True, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # torn files: each library has errors of its own
        raise _cannot_be_used(folder, error) from error
    if told["missing_keys"]:
        raise ConfigError(
            f"[tagging.transformers] the model in {folder} was not trained to classify "
            "texts: it lacks the weights of its labels; name another"
        )
    return model.float().eval().requires_grad_(False), tokenizer


def _cannot_be_used(folder: Path, error: Exception) -> ConfigError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return ConfigError(
        f"[tagging.transformers] the model in {folder} cannot be loaded ({reason}): "
        "fetch its files anew, or name another"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and warnings of transformers' own."""
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def _is_single_label(config: Any, folder: Path) -> bool:
    """Whether a model's labels exclude each other, as its configuration has it."""
    kind = config.problem_type or (_SOFTMAX if config.num_labels > 1 else _SIGMOID)
    if kind not in {_SIGMOID, _SOFTMAX}:
        raise ConfigError(
            f"[tagging.transformers] the model in {folder} gives numbers, not labels "
            f"(problem_type {kind!r}); name another"
        )
    return bool(kind == _SOFTMAX)


def _frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens that the model expects before and after a text."""
    probe = tokenizer("a", return_special_tokens_mask=True)
    ids, special = probe["input_ids"], probe["special_tokens_mask"]
    if 0 not in special:
        return [], []
    first, last = special.index(0), len(special) - special[::-1].index(0)
    return ids[:first], ids[last:]


def _window(tokenizer: Any, config: Any) -> int:
    """Tokens a model takes at once; some count positions from 2 on."""
    positions = getattr(config, "max_position_embeddings", None) or MAX_WINDOW
    known = max(1, positions - _MAYBE_UNUSED_POSITIONS)
    return int(min(tokenizer.model_max_length, known, MAX_WINDOW))

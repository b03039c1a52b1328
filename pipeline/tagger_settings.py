"""[tagging.transformers] and [tagging.llm]: what other taggers need to be told."""

import ipaddress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline.addresses import host_of

LLM_KEY_VARIABLE = "GROUNDSWELL_LLM_KEY"

_Share = Annotated[float, Meta(gt=0, le=1)]
_Batch = Annotated[int, Meta(ge=1, le=1_024)]
_AtOnce = Annotated[int, Meta(ge=1, le=64)]
_Seconds = Annotated[float, Meta(gt=0, le=3_600)]
_Requests = Annotated[int, Meta(ge=1)]
_Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
_Language = Annotated[str, Meta(pattern="^[a-z]{2}$")]
_Languages = Annotated[list[_Language], Meta(min_length=1)]


class TransformersSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text-classification model of transformers, and what its labels are to us.

    `labels` maps the model's labels to those of `task`, or to "" for none; names that
    coincide need no entry. The tagger `base` judges every other task.
    """

    model: str = ""
    task: str = "basic-emotion"
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    threshold: _Share = 0.5
    batch: _Batch = 32
    languages: _Languages = msgspec.field(default_factory=lambda: ["en"])
    base: Literal["encoder", "lexicon"] = "encoder"


class LlmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chat endpoint that names causes, over what the tagger `base` says.

    Texts go to whoever answers at `url`; unless that is this machine, `sends_texts_to`
    has to name the host, as a sign that somebody wants it so.
    """

    url: _Url = "http://127.0.0.1:8000/v1"
    model: str = ""
    sends_texts_to: str = ""
    base: Literal["encoder", "lexicon", "transformers"] = "encoder"
    key_file: str | None = None
    timeout_s: _Seconds = 30.0
    concurrency: _AtOnce = 4
    requests_a_day: _Requests = 1_000
    file: str = "data/llm.sqlite"

    @property
    def host(self) -> str:
        """Where texts are sent."""
        return host_of(self.url) or ""


def transformers_faults(settings: TransformersSettings) -> list[str]:
    """What keeps the tagger "transformers" from being used, whatever is installed."""
    if settings.model:
        return []
    remedy = "set it to a folder, or to a name such as 'LEIA/LEIA-base'"
    return [f"[tagging.transformers] model is missing: {remedy}"]


def llm_faults(settings: LlmSettings) -> list[str]:
    """What keeps the tagger "llm" from being used, wherever it runs."""
    faults = []
    if not settings.model:
        remedy = "set it to the name that the endpoint knows it by"
        faults.append(f"[tagging.llm] model is missing: {remedy}")
    host, agreed = settings.host, settings.sends_texts_to
    if not agreed and not _is_this_machine(host):
        remedy = f"set sends_texts_to = {host!r} if that is agreed, or another url"
        faults.append(
            f"[tagging.llm] texts of messages would leave for {host}: {remedy}"
        )
    if agreed and agreed != host:
        remedy = f"the url's is {host!r}; change one"
        faults.append(f"[tagging.llm] sends_texts_to names another host: {remedy}")
    return faults


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

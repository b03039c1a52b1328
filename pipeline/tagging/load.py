"""The tagger that the configuration asks for."""

import gc
from pathlib import Path

from pipeline.config import NO_TRANSFORMERS, TaggingSettings
from pipeline.errors import ConfigError
from pipeline.tagger_settings import llm_faults, transformers_faults
from pipeline.tagging.lexicon_tagger import LexiconTagger
from pipeline.tagging.tagger import Tagger


def load_tagger(settings: TaggingSettings, *, suicidality: bool) -> Tagger:
    """The configured tagger, ready to tag.

    Args:
        settings: the `[tagging]` section of the configuration.
        suicidality: whether to tag that one marker, which is off by default.

    Raises:
        ConfigError: its packages are not installed, or its settings cannot be used.
    """
    if settings.tagger == "llm":
        return _llm(settings, suicidality=suicidality)
    if settings.tagger == "transformers":
        return _transformers(settings, suicidality=suicidality)
    if settings.tagger == "encoder":
        return _encoder(settings, suicidality=suicidality)
    return LexiconTagger.load(suicidality=suicidality)


def load_tagger_to_stay(settings: TaggingSettings, *, suicidality: bool) -> Tagger:
    """The tagger of a process that keeps it until its own end; see `load_tagger`.

    The garbage collector leaves alone all that there is by then. Kafka's client makes
    several objects a record, and would have it walk again and again through word lists
    and through Beam: about a tenth of what tagging costs on Flink.
    """
    tagger = load_tagger(settings, suicidality=suicidality)
    gc.collect()
    gc.freeze()
    return tagger


def _encoder(settings: TaggingSettings, *, suicidality: bool) -> Tagger:
    from pipeline.tagging.encoder_tagger import (  # noqa: PLC0415 - the lexicon needs no onnxruntime
        EncoderTagger,
    )

    return EncoderTagger.load(
        suicidality=suicidality,
        tier=settings.tier,
        threads=settings.threads,
        folder=None if settings.model is None else Path(settings.model),
    )


def _transformers(settings: TaggingSettings, *, suicidality: bool) -> Tagger:
    faults = transformers_faults(settings.transformers)
    if faults:
        raise ConfigError(faults[0])
    try:
        from pipeline.tagging.transformers_tagger import (  # noqa: PLC0415 - optional packages
            TransformersTagger,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(NO_TRANSFORMERS) from error
    return TransformersTagger(settings, load_tagger, suicidality=suicidality)


def _llm(settings: TaggingSettings, *, suicidality: bool) -> Tagger:
    from pipeline.tagging.llm_tagger import (  # noqa: PLC0415 - other taggers need no HTTP
        LlmTagger,
    )

    faults = llm_faults(settings.llm)
    if faults:
        raise ConfigError(faults[0])
    return LlmTagger(settings, load_tagger, suicidality=suicidality)

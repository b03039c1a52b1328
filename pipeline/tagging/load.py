"""The tagger that the configuration asks for."""

from pipeline.config import TaggingSettings
from pipeline.tagging.lexicon_tagger import LexiconTagger
from pipeline.tagging.tagger import Tagger


def load_tagger(settings: TaggingSettings, *, suicidality: bool) -> Tagger:
    """The configured tagger, ready to tag.

    Args:
        settings: the `[tagging]` section of the configuration.
        suicidality: whether to tag that one marker, which is off by default.
    """
    makers = {"lexicon": LexiconTagger.load}
    return makers[settings.tagger](suicidality=suicidality)

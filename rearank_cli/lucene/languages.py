"""The languages that Anserini has an analyzer for."""

from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.lucene import jvm

ENGLISH = "en"
SPACES_ONLY = "sw"
"""Swahili has no analyzer of its own in Lucene; Anserini splits it at spaces."""

# The keys of Anserini's io.anserini.analysis.AnalyzerMap, and the two that it treats apart.
LANGUAGES = (
    *("ar", "bn", "da", "de", "es", "fa", "fi", "fr", "hi", "hu", "id", "it", "ja", "ko", "nl"),
    *("no", "pl", "pt", "ru", "sv", "te", "th", "tr", "uk", "zh", ENGLISH, SPACES_ONLY),
)


def check_language(language: str) -> None:
    """Raise `RearankError` for a language that Anserini would silently treat as English."""
    if language not in LANGUAGES:
        raise RearankError(
            f"`language`: expected one of {', '.join(sorted(LANGUAGES))}, found {language!r}"
        )


def analyzer(language: str) -> Any:
    """Return the analyzer that Anserini's indexer uses for a language other than English."""
    if language == SPACES_ONLY:
        return jvm.java_class("org.apache.lucene.analysis.core.WhitespaceAnalyzer")()
    analyzers = jvm.java_class("io.anserini.analysis.AnalyzerMap")
    return analyzers.getLanguageSpecificAnalyzer(language)

"""`rearank index`: build a collection's Lucene index ahead of time."""

import os
from typing import Annotated

import typer

from rearank_cli.cli.corpora import (
    CorpusFrom,
    DatasetArgument,
    Language,
    Threads,
    Verbose,
    one_corpus,
    one_name,
)
from rearank_cli.cli.options import Corpus, Dataset

EXAMPLES = """\b
Examples:
  rearank index demo
  rearank index -d my-folder --threads 8
  rearank index --corpus docs.jsonl.gz --language ar
"""


def command(
    context: typer.Context,
    name: DatasetArgument = None,
    dataset: Dataset = None,
    corpus: Corpus = None,
    corpus_from: CorpusFrom = None,
    language: Language = "en",
    threads: Threads = None,
    again: Annotated[
        bool, typer.Option("--again", help="Build it even if the cache has it.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Index the documents of a collection, or find the index made before, and print its folder.

    `retrieve` does this by itself; here it can be done beforehand. The index is keyed by the
    documents' content, appears only when it is complete, and is shared by all that search it.
    """
    from rearank_cli.collection import open_collection
    from rearank_cli.lucene.index import Indexing, ensure_index
    from rearank_cli.lucene.languages import check_language

    check_language(language)
    collection = open_collection(one_name(context, name, dataset), one_corpus(corpus, corpus_from))
    how = Indexing(language, threads or os.cpu_count() or 1, verbose)
    typer.echo(str(ensure_index(collection, how, again)))

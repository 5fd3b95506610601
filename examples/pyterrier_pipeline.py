"""A pipeline of PyTerrier's with our reranker at its end; no Java is needed for what is here.

python examples/pyterrier_pipeline.py MODEL [SERVER_URL]
"""

import sys

import pandas as pd
import pyterrier as pt

from rearank_cli import open_collection
from rearank_cli.pyterrier import Rerank

model, servers = sys.argv[1], sys.argv[2:]
demo = open_collection("demo")
documents = list(demo.documents())


def words(text: str) -> set[str]:
    """Return the words of a text, in lower case."""
    return set(text.lower().split())


def retrieve(topics: pd.DataFrame) -> pd.DataFrame:
    """Find the twenty documents with most words of the query: a first stage in one line."""
    found = []
    for qid, query in zip(topics["qid"], topics["query"], strict=True):
        best = sorted(documents, key=lambda doc: -len(words(query) & words(doc.text)))[:20]
        found += [
            {"qid": qid, "query": query, "docno": doc.doc_id, "text": doc.text, "score": -rank}
            for rank, doc in enumerate(best)
        ]
    return pd.DataFrame(found)


topics = pd.DataFrame([{"qid": q.query_id, "query": q.text} for q in demo.queries().values()])
qrels = pd.DataFrame(
    [{"qid": j.query_id, "docno": j.doc_id, "label": j.relevance} for j in demo.qrels()]
)
first_stage = pt.apply.generic(retrieve)
reranked = first_stage >> Rerank(model, base_urls=servers)
print(pt.Experiment([first_stage, reranked], topics, qrels, ["ndcg_cut_10"], ["words", "rearank"]))

"""Rerank a run from Python: the demo's BM25 run, or yours; the model is chosen as `rearank` does.

python examples/rerank.py runs/demo.bm25.trec demo [MODEL [SERVER_URL]]
"""

import sys

from rearank_cli import Reranker, open_collection, read_run, write_run

run, collection, *rest = sys.argv[1:]
model, servers = (rest[0] if rest else None), rest[1:]

with Reranker(model, base_urls=servers) as reranker:
    new = reranker.rerank(read_run(run), open_collection(collection))
write_run("-", new)

"""Rerank with rank_llm: `PYTHON rank_llm_client.py MODEL BASE_URL BATCH_SIZE FOLDER OUT`.

Runs in rank_llm's own environment and knows nothing of ours. The folder holds `queries.jsonl`,
`corpus.jsonl` and `run.trec`.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

# It checks that vLLM is there even where it is asked over HTTP and nothing of it is used.
sys.modules.setdefault("vllm", ModuleType("vllm"))

from rank_llm.data import Candidate, DataWriter, Query, Request  # noqa: E402
from rank_llm.rerank import Reranker  # noqa: E402
from rank_llm.rerank.listwise import RankListwiseOSLLM  # noqa: E402


def texts(path: Path) -> dict[str, str]:
    """Return the texts of a JSON-lines file by their ids."""
    with path.open() as lines:
        return {each["_id"]: each["text"] for each in map(json.loads, lines)}


def requests(folder: Path) -> list[Request]:
    """Return what is to be reranked, as rank_llm wants it."""
    queries, passages = texts(folder / "queries.jsonl"), texts(folder / "corpus.jsonl")
    hits: dict[str, list[Candidate]] = defaultdict(list)
    for line in (folder / "run.trec").read_text().splitlines():
        query, _, doc, _, score, _ = line.split()
        hits[query].append(Candidate(doc, float(score), {"contents": passages[doc]}))
    return [Request(Query(queries[name], name), found) for name, found in hits.items()]


def main() -> None:
    """Rerank and write a run."""
    model, url, batch, folder, out = sys.argv[1:]
    coordinator = RankListwiseOSLLM(model, base_url=url, batch_size=int(batch), device="cpu")
    results = Reranker(coordinator).rerank_batch(requests(Path(folder)))
    DataWriter(results).write_in_trec_eval_format(out)


if __name__ == "__main__":
    main()

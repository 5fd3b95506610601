"""The machine-readable report: full precision, and where every figure comes from."""

import hashlib
import json
import math
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rearank_cli import __version__
from rearank_cli.collection.judgements import EXCLUDED
from rearank_cli.evaluation.inquiry import Inquiry, Report
from rearank_cli.evaluation.labels import RunLike
from rearank_cli.evaluation.significance import ALPHA
from rearank_cli.evaluation.tables import DIFF_HEADER, diff_rows
from rearank_cli.records import Qrel, Run

_LIBRARIES = ("ir-measures", "pytrec-eval-terrier", "scipy", "numpy")


def file_hash(source: str) -> str | None:
    """Return the SHA-256 of a file's bytes as they lie on the disk; None for stdin or a pipe."""
    path = Path(source)
    if not path.is_file():
        return None
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def judgements_hash(qrels: Iterable[Qrel]) -> str:
    """Return the SHA-256 of judgements as sorted lines `query_id doc_id relevance`."""
    digest = hashlib.sha256()
    for query_id, doc_id, relevance, *_ in sorted(qrels):
        digest.update(f"{query_id} {doc_id} {relevance}\n".encode())
    return digest.hexdigest()


def as_json(report: Report, request: Inquiry, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report as JSON objects; `origin` says where the judgements come from."""
    found: dict[str, Any] = {
        "measures": list(report.measures),
        "runs": [
            {
                "run": item.label,
                "values": _finite(item.figures),
                report.judged_name: _finite(report.judged)[item.label],
                "queries_missing": list(meeting.missing),
                "queries_unjudged": len(meeting.unjudged),
                "queries_tied": len(meeting.tied),
            }
            for item, meeting in zip(report.evaluations, report.coverages, strict=True)
        ],
        "notes": list(report.notes),
        "provenance": _provenance(request, origin),
    }
    if report.baseline is not None:
        found["baseline"] = report.baseline.label
        found["comparisons"] = [
            {
                "run": item.label,
                "measure": item.measure,
                "difference": item.difference,
                "queries": item.queries,
                **item.outcomes._asdict(),
                "t_test": {"p": item.t_test.raw, "p_holm": item.t_test.holm},
                "randomization": {"p": item.randomization.raw, "p_holm": item.randomization.holm},
                "cohens_d": item.cohens_d,
            }
            for item in report.comparisons
        ]
    return found


def diff_json(report: Report, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the queries that changed most."""
    return [dict(zip(DIFF_HEADER, row, strict=True)) for row in diff_rows(report, texts)]


def dump(content: Mapping[str, Any]) -> str:
    """Return JSON text in which every float keeps its full precision."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _provenance(request: Inquiry, origin: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rearank": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in _LIBRARIES},
        "runs": {label: _of_run(given) for label, given in request.runs.items()},
        "judgements": dict(origin),
        "conventions": {
            "queries": _queries(request),
            "unjudged_documents": "dropped" if request.drop_unjudged else "not relevant",
            "excluded_relevance": EXCLUDED,
            "ties": request.ties.value,
            "alpha": ALPHA,
        },
    }


def _of_run(given: RunLike) -> dict[str, str | None]:
    if isinstance(given, Run):
        return {"source": None, "sha256": None}
    return {"source": os.fspath(given), "sha256": file_hash(os.fspath(given))}


def _queries(request: Inquiry) -> str:
    """Say in words which queries count."""
    asked = " that the collection asks" if request.asked and request.asked.only else ""
    return ("of run and judgements" if request.judged_queries_only else "all judged") + asked


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

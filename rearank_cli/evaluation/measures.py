"""From the name of a measure to ir_measures' own object, with help for wrong names."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import ir_measures

from rearank_cli.errors import RearankError

DEFAULT = "nDCG@10"

_OF_THE_HEAD = frozenset({"AP", "ERR", "Judged", "P", "R", "RR", "Success", "nDCG"})


def parse_measures(names: Iterable[str]) -> list[Any]:
    """Return ir_measures' measures for names such as `nDCG@10` or `RR(rel=2)@10`, each once.

    Names of trec_eval such as `ndcg_cut_10` or `recip_rank` are understood.
    Raises one `RearankError` that lists every name that cannot be used and why.
    """
    measures: list[Any] = []
    problems: list[str] = []
    wrong: list[str] = []
    for name in (part for text in names for part in _split(text)):
        try:
            measure = _parse(name)
        except RearankError as error:
            problems.append(error.message)
            wrong.append(name)
            continue
        if measure not in measures:
            measures.append(measure)
    if problems:
        raise RearankError("; ".join(problems), hint=_suggestions(wrong))
    return measures


def _split(text: str) -> Sequence[str]:
    """Split at spaces outside parentheses, so that `'nDCG@10 R@100'` is two measures."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character.isspace() and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part] or [""]


_TREC_EVAL: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), ours)
    for pattern, ours in (
        (r"ndcg_cut[_.](\d+)", r"nDCG@\1"),
        (r"ndcg", "nDCG"),
        (r"map_cut[_.](\d+)", r"AP@\1"),
        (r"map", "AP"),
        (r"recip_rank", "RR"),
        (r"P[_.](\d+)", r"P@\1"),
        (r"recall[_.](\d+)", r"R@\1"),
        (r"success[_.](\d+)", r"Success@\1"),
        (r"iprec_at_recall[_.]([01](?:\.\d+)?)", r"IPrec@\1"),
        (r"bpref", "Bpref"),
        (r"Rprec", "Rprec"),
        (r"infAP", "infAP"),
        (r"num_ret", "NumRet"),
        (r"num_rel", "NumRel"),
        (r"num_rel_ret", "NumRet(rel=1)"),
        (r"num_q", "NumQ"),
        (r"set_P", "SetP"),
        (r"set_recall", "SetR"),
        (r"set_F", "SetF"),
    )
)
"""trec_eval's names of measures, and ir_measures' for the same."""


def _translated(name: str) -> str:
    """Return ir_measures' name for one of trec_eval's; any other as it is."""
    for pattern, ours in _TREC_EVAL:
        found = pattern.fullmatch(name)
        if found:
            return found.expand(ours)
    return name


def _parse(name: str) -> Any:
    try:
        measure = ir_measures.parse_measure(_translated(name))
        measure.validate_params()
        supported = ir_measures.DefaultPipeline.supports(measure)
    except NameError:
        raise RearankError(f"{name}: no such measure") from None
    except (ValueError, AssertionError, TypeError, KeyError) as error:
        detail = str(error) if isinstance(error, AssertionError) else "expected Name(key=value)@k"
        raise RearankError(f"{name}: cannot be read as a measure ({detail})") from None
    if not supported:
        raise RearankError(f"{name}: {_why_unsupported(measure)}")
    return measure


def cutoff_of(measure: Any) -> int | None:
    """Return k of a measure that looks at the first k hits of a ranking and at nothing below."""
    if measure.NAME not in _OF_THE_HEAD or measure.params.get("judged_only", False):
        return None
    cutoff = measure.params.get("cutoff")
    return cutoff if isinstance(cutoff, int) and cutoff > 0 else None


def depth_for(measures: Sequence[Any]) -> int | None:
    """Return how many hits of a ranking these measures look at; None for all of them."""
    depth = 0
    for measure in measures:
        cutoff = cutoff_of(measure)
        if cutoff is None:
            return None
        depth = max(depth, cutoff)
    return depth


def judged_beside(measures: Sequence[Any]) -> Any:
    """Return Judged@k for the smallest cutoff among the measures, 10 where none has one."""
    cutoffs = [cutoff for cutoff in map(cutoff_of, measures) if cutoff is not None]
    return ir_measures.Judged @ min(cutoffs, default=10)


def _why_unsupported(measure: Any) -> str:
    """Say what would have to be installed for a measure, if anything would help."""
    for provider in ir_measures.DefaultPipeline.providers:
        if provider.supports(measure) and not provider.is_available():
            return f"needs {provider.NAME} ({provider.install_instructions()})"
    return "this combination of parameters is not supported"


def _suggestions(wrong: Sequence[str]) -> str:
    """Return a hint that lists the measures whose names are near to the wrong ones."""
    registry = ir_measures.measures.registry
    known = {name.lower(): name for name in registry if registry[name].__name__ == name}
    known |= {name.lower(): name for name in registry if name.lower() not in known}
    near: list[str] = []
    for name in wrong:
        word = name.split("@")[0].split("(")[0].strip().lower()
        for match in difflib.get_close_matches(word, known, n=3, cutoff=0.5):
            if known[match] not in near:
                near.append(known[match])
    if near:
        return f"near names: {', '.join(near)}; a measure is written like {DEFAULT} or RR(rel=2)@10"
    return f"known names: {', '.join(sorted(known.values(), key=str.lower))}"

"""Conventions, comparisons and formats on a tiny case whose values can be checked by hand."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ir_measures
import pytest

from rearank_cli.collection import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.evaluation import tables
from rearank_cli.evaluation.evaluate import inquire
from rearank_cli.evaluation.inquiry import Inquiry, Report
from rearank_cli.evaluation.labels import label_sources
from rearank_cli.evaluation.measures import cutoff_of, depth_for, judged_beside, parse_measures
from rearank_cli.evaluation.provenance import judgements_hash
from rearank_cli.evaluation.scoring import Scorer
from rearank_cli.evaluation.style import Format, Style, Ties
from rearank_cli.evaluation.writing import write_report
from rearank_cli.records import Qrel, Run

QRELS = [Qrel("q1", "a", 2), Qrel("q1", "b", 0), Qrel("q2", "c", 1), Qrel("q3", "d", 0)]
BASE = "q1 Q0 b 1 9 t\nq1 Q0 a 2 8 t\nq2 Q0 c 1 9 t\nq9 Q0 c 1 9 t\n"
BEST = "q1 Q0 a 1 9 t\nq1 Q0 x 2 9 t\nq2 Q0 c 1 9 t\nq3 Q0 d 1 1 t\n"


@pytest.fixture
def inquiry(tmp_path: Path) -> Inquiry:
    (tmp_path / "base.trec").write_text(BASE)
    (tmp_path / "best_1.trec").write_text(BEST)
    sources = label_sources([str(tmp_path / "base.trec"), str(tmp_path / "best_1.trec")])
    return Inquiry(sources, parse_measures(["P@1", "RR"]), baseline="base")


def measured(inquiry: Inquiry, qrels: Sequence[Qrel]) -> Report:
    return inquire(inquiry, Judgements(qrels))


def figures(report: Report) -> list[dict[str, float]]:
    return [dict(item.figures) for item in report.evaluations]


def test_all_judged_queries_count(inquiry: Inquiry) -> None:
    # "x" wins the tie in q1: doc ids descending. q3 has nothing relevant; base lacks it.
    assert figures(measured(inquiry, QRELS)) == [
        {"P@1": 1 / 3, "RR": 1.5 / 3},
        {"P@1": 1 / 3, "RR": 1.5 / 3},
    ]


def test_only_queries_that_a_run_has(inquiry: Inquiry) -> None:
    report = measured(replace(inquiry, judged_queries_only=True), QRELS)
    assert figures(report) == [{"P@1": 1 / 2, "RR": 1.5 / 2}, {"P@1": 1 / 3, "RR": 1.5 / 3}]
    assert [item.queries for item in report.comparisons] == [2, 2]


def test_ties_by_rank(inquiry: Inquiry) -> None:
    report = measured(replace(inquiry, ties=Ties.RANK), QRELS)
    assert figures(report)[1] == {"P@1": 2 / 3, "RR": 2 / 3}


def test_condensed_lists(inquiry: Inquiry) -> None:
    report = measured(replace(inquiry, drop_unjudged=True), QRELS)
    assert figures(report)[1] == {"P@1": 2 / 3, "RR": 2 / 3}
    assert report.judged == {"base": 2 / 3, "best_1": 1.0}


def test_documents_judged_minus_100_are_taken_out(inquiry: Inquiry) -> None:
    report = measured(inquiry, [*QRELS, Qrel("q1", "b", -100), Qrel("q2", "z", -100)])
    # without b, a is the base's first hit of q1
    assert figures(report)[0] == {"P@1": 2 / 3, "RR": 2 / 3}
    assert any(
        "the documents of 2 judgements of -100 were dropped" in note for note in report.notes
    )


def test_a_query_with_nothing_but_excluded_documents_counts(inquiry: Inquiry) -> None:
    report = measured(inquiry, [*QRELS, Qrel("q9", "c", -100)])
    assert figures(report)[0] == {"P@1": 1 / 4, "RR": 1.5 / 4}


def test_notes_tell_which_queries_count(inquiry: Inquiry) -> None:
    notes = measured(inquiry, [*QRELS, Qrel("q2", "c", 0), Qrel("q2", "c", 1)]).notes
    assert notes[:5] == (
        "3 judged queries: all count; 1 without a relevant document",
        "base: 1 judged query missing, counted as 0 (q3)",
        "best_1: equal scores in 1 judged query",
        "unjudged queries, ignored: base 1",
        "the runs do not have the same queries",
    )
    assert notes[-1] == "contradicted by a later one: 2 judgements; the last one counts"


def precision_at(cutoff: int) -> Any:
    """Return precision at a cutoff that no name can ask for."""
    return ir_measures.P @ cutoff


def test_measures_know_how_deep_they_look() -> None:
    assert depth_for(parse_measures(["nDCG@10", "RR(rel=2)@20", "R@5"])) == 20
    assert depth_for(parse_measures(["nDCG@10", "AP"])) is None
    assert cutoff_of(parse_measures(["P(judged_only=True)@5"])[0]) is None
    assert str(judged_beside(parse_measures(["nDCG@20", "P@5", "AP"]))) == "Judged@5"
    assert str(judged_beside(parse_measures(["AP"]))) == "Judged@10"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", "ndgc@10: no such measure"),
        ("P@ten", "P@ten: cannot be read as a measure"),
        ("P@ten", "(expected Name(key=value)@k)"),
        ("RR(foo=1)", "unsupported params found: ['foo']"),
        ("P", "invalid param cutoff"),
        ("", ": cannot be read as a measure"),
        ("alpha_nDCG@10", "alpha_nDCG@10: needs pyndeval"),
    ],
)
def test_wrong_measures(name: str, message: str) -> None:
    with pytest.raises(RearankError) as caught:
        parse_measures([name])
    assert message in caught.value.message
    assert caught.value.hint


def test_measures_are_split_at_spaces_outside_parentheses_and_each_is_there_once() -> None:
    names = ["nDCG@10 RR(rel = 2)@10\tP@5", " P@5", "SetF(beta=0.5, rel=2) AP"]
    found = [str(measure) for measure in parse_measures(names)]
    assert found == ["nDCG@10", "RR(rel=2)@10", "P@5", "SetF(beta=0.5,rel=2)", "AP"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("ndcg_cut_10", "nDCG@10"),
        ("ndcg_cut.10", "nDCG@10"),
        ("ndcg", "nDCG"),
        ("map", "AP"),
        ("map_cut_100", "AP@100"),
        ("recip_rank", "RR"),
        ("P_10", "P@10"),
        ("recall_100", "R@100"),
        ("success_5", "Success@5"),
        ("iprec_at_recall_0.10", "IPrec@0.1"),
        ("bpref", "Bpref"),
        ("Rprec", "Rprec"),
        ("num_rel_ret", "NumRet(rel=1)"),
    ],
)
def test_names_of_trec_eval_are_understood(theirs: str, ours: str) -> None:
    assert parse_measures([theirs]) == [ir_measures.parse_measure(ours)]


def test_all_wrong_measures_are_named_at_once_with_names_near_to_them() -> None:
    with pytest.raises(RearankError) as caught:
        parse_measures(["ndgc@10", "P@5 ndgc(rel=2)", "RBP(p=0.8)"])
    assert caught.value.message == (
        "ndgc@10: no such measure; ndgc(rel=2): no such measure; "
        "RBP(p=0.8): this combination of parameters is not supported"
    )
    assert caught.value.hint == (
        "near names: nDCG, α_nDCG, SDCG, RBP, NRBP, nNRBP; a measure is written like nDCG@10 or "
        "RR(rel=2)@10"
    )


def test_a_name_that_is_near_to_none_is_answered_with_all_names() -> None:
    with pytest.raises(RearankError) as caught:
        parse_measures(["qqqqqq"])
    opening, _, rest = caught.value.hint.partition(": ")
    names = rest.split(", ")
    assert opening == "known names"
    assert names == sorted(names, key=str.lower) and len(set(names)) == len(names)
    assert {"AP", "nDCG", "MAP", "P", "Precision"} <= set(names)


def test_a_cutoff_of_nothing_is_none() -> None:
    assert cutoff_of(precision_at(0)) is None
    assert cutoff_of(precision_at(1)) == 1
    assert cutoff_of(parse_measures(["IPrec@0.1"])[0]) is None
    assert depth_for([]) == 0


def test_a_figure_that_cannot_be_computed_is_an_error_that_names_the_measures() -> None:
    scorer = Scorer({"q": {"a": 1}}, parse_measures(["P@1", "RR"]))
    run = Run.by_rank({"q": ("a",)}, "t")

    class Broken:
        def iter_calc(self, run: object) -> None:
            raise OSError("no perl")

    scorer._evaluator = Broken()
    with pytest.raises(RearankError) as caught:
        scorer.evaluate("run", run)
    assert caught.value.message == "one of P@1, RR cannot be computed: no perl"
    assert caught.value.hint == (
        "measure them one by one to find which; ERR@k and nDCG(dcg='exp-log2')@k are computed by "
        "gdeval, a Perl program that knows no doc ids with spaces"
    )


def test_a_query_without_any_usable_judgement_counts_as_nothing_found() -> None:
    grades = {"q": {"a": 1}, "none": {}, "below": {"a": -1}}
    scorer = Scorer(grades, parse_measures(["P@1"]))
    found = scorer.evaluate("run", Run.by_rank({"q": ("a",), "none": ("a",), "below": ("a",)}, "t"))
    assert found.per_query == {"P@1": {"q": 1.0, "none": 0.0, "below": 0.0}}
    assert found.figures == {"P@1": 1 / 3}
    lacking = Run.by_rank({"q": ("a",)}, "t")
    assert scorer.evaluate("run", lacking) == found
    own = Scorer(grades, parse_measures(["P@1"]), complete=False).evaluate("run", lacking)
    assert (own.per_query, own.figures) == ({"P@1": {"q": 1.0}}, {"P@1": 1.0})


def test_a_run_whose_scores_are_too_few_is_no_run() -> None:
    with pytest.raises(ValueError):
        Scorer({"q": {"a": 1}}, parse_measures(["P@1"])).evaluate(
            "run", Run({"q": ("a", "b")}, {"q": (1.0,)}, "t")
        )


def test_labels_are_short_but_distinct() -> None:
    assert label_sources(["runs/a.trec.gz", "b.run", "x/c.trec", "y/c.trec", "-"]) == {
        "a": "runs/a.trec.gz",
        "b": "b.run",
        "x/c.trec": "x/c.trec",
        "y/c.trec": "y/c.trec",
        "stdin": "-",
    }
    with pytest.raises(RearankError, match="each run once"):
        label_sources(["a", "a"])


def written(request: Inquiry, style: Style, qrels: list[Qrel] | None = None) -> str:
    report = measured(request, QRELS if qrels is None else qrels)
    handle = io.StringIO()
    write_report(handle, report, request, {"source": "here"}, style)
    return handle.getvalue()


def test_markdown(inquiry: Inquiry) -> None:
    text = written(replace(inquiry, ties=Ties.RANK), Style(Format.MARKDOWN, 3))
    assert text.startswith(
        "| run | P@1 | RR | Judged@1 |\n"
        "| :-- | --: | --: | --: |\n"
        "| base (baseline) | 0.333 | 0.500 | 0.667 |\n"
        "| best\\_1 | **0.667** | **0.667** | 1.000 |\n"
        "\nagainst base\n\n"
        "| run | measure | Δ | W/T/L | p t-test | p random. | d |\n"
        "| :-- | :-- | --: | --: | --: | --: | --: |\n"
        "| best\\_1 | P@1 | +0.333 | 1/2/0 | 0.4226 | 1.0000 | +0.58 |\n"
    )
    assert "\n- 3 judged queries: all count" in text


def test_latex(inquiry: Inquiry) -> None:
    text = written(replace(inquiry, baseline=None, ties=Ties.RANK), Style(Format.LATEX, 2))
    assert text.startswith(
        "% needs \\usepackage{booktabs,textcomp}\n"
        "\\begin{tabular}{lrrr}\n\\toprule\n"
        "run & P@1 & RR & Judged@1 \\\\\n\\midrule\n"
        "base & 0.33 & 0.50 & 0.67 \\\\\n"
        "best\\_1 & \\textbf{0.67} & \\textbf{0.67} & 1.00 \\\\\n"
        "\\bottomrule\n\\end{tabular}\n"
    )
    assert all(line.startswith("%") for line in text.split("\\end{tabular}\n")[1].splitlines())


def test_csv_is_wide_without_and_long_with_a_baseline(inquiry: Inquiry) -> None:
    wide = list(
        csv.reader(io.StringIO(written(replace(inquiry, baseline=None), Style(Format.CSV))))
    )
    assert wide == [
        ["run", "P@1", "RR"],
        ["base", "0.3333", "0.5000"],
        ["best_1", "0.3333", "0.5000"],
    ]
    rows = list(csv.DictReader(io.StringIO(written(inquiry, Style(Format.CSV)))))
    assert [(row["run"], row["measure"], row["difference"], row["wins"]) for row in rows] == [
        ("base", "P@1", "", ""),
        ("base", "RR", "", ""),
        ("best_1", "P@1", "0.0000", "0"),
        ("best_1", "RR", "0.0000", "0"),
    ]


def test_json_has_full_precision_and_provenance(inquiry: Inquiry) -> None:
    content = json.loads(written(inquiry, Style(Format.JSON, per_query=True, diff={})))
    assert content["runs"][0]["values"]["P@1"] == 1 / 3
    assert content["runs"][0]["queries_missing"] == ["q3"]
    assert content["per_query"]["base"]["RR"] == {"q1": 0.5, "q2": 1.0, "q3": 0.0}
    assert content["comparisons"][0]["t_test"] == {"p": 1.0, "p_holm": 1.0}
    provenance = content["provenance"]
    assert provenance["runs"]["base"]["sha256"] == hashlib.sha256(BASE.encode()).hexdigest()
    assert provenance["judgements"] == {"source": "here"}
    assert provenance["ir-measures"] and provenance["conventions"]["ties"] == "docid"


def test_judgements_have_one_hash_in_any_order() -> None:
    assert judgements_hash(QRELS) == judgements_hash(QRELS[::-1])
    assert judgements_hash(QRELS) != judgements_hash(QRELS[1:])


def test_values_by_query_keep_the_order_of_the_judgements(inquiry: Inquiry) -> None:
    report = measured(inquiry, [QRELS[3], QRELS[2], QRELS[0]])
    assert [list(item.per_query["RR"]) for item in report.evaluations] == [["q3", "q2", "q1"]] * 2


def test_per_query_and_diff_lines(inquiry: Inquiry) -> None:
    by_rank = replace(inquiry, ties=Ties.RANK, measures=parse_measures(["RR"]))
    assert written(by_rank, Style(Format.TSV, 2, per_query=True)).splitlines()[:3] == [
        "query\tmeasure\trun\tvalue",
        "q1\tRR\tbase\t0.50",
        "q2\tRR\tbase\t1.00",
    ]
    assert written(by_rank, Style(Format.TSV, 2, diff={"q1": "what\tis it"})) == (
        "run\tmeasure\tquery\tbaseline\tvalue\tdifference\ttext\n"
        "best_1\tRR\tq1\t0.50\t1.00\t0.50\twhat is it\n"
    )


def test_diff_lists_gains_and_losses_in_the_table(inquiry: Inquiry) -> None:
    report = measured(replace(inquiry, ties=Ties.RANK), QRELS)
    shown = tables.tables(report, 2, {"q1": "first question"})
    assert [table.title for table in shown[2:]] == [
        "P@1: queries that changed most from base to best_1",
        "RR: queries that changed most from base to best_1",
    ]
    assert shown[3].rows == (("q1", "0.50", "1.00", "+0.50", "first question"),)


@pytest.mark.parametrize("format_", [Format.TABLE, Format.MARKDOWN, Format.LATEX])
def test_per_query_values_have_no_table(format_: Format) -> None:
    with pytest.raises(RearankError, match="expected `format` tsv, csv or json"):
        Style(format_, per_query=True)


def test_a_table_in_a_file_is_not_cut(inquiry: Inquiry) -> None:
    text = written(inquiry, Style(Format.TABLE, 12, diff={"q1": "word " * 100}))
    assert "0.333333333333" in text
    assert "…" not in text


def test_judgements_of_other_queries_are_an_error(inquiry: Inquiry) -> None:
    with pytest.raises(RearankError, match=r"base\.trec: of its 3 queries none is judged"):
        measured(inquiry, [Qrel("q7", "a", 1)])


def test_judgements_of_other_documents_are_doubted(inquiry: Inquiry) -> None:
    report = measured(inquiry, [Qrel("q1", "MARCO_a", 1)])
    assert tables.footer(report)[-1].startswith("base, best_1: Judged@1 is 0; are the doc ids")

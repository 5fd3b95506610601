"""`rearank fuse`: one run out of several."""

from typing import Annotated, Any

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.options import Output
from rearank_cli.errors import RearankError
from rearank_cli.evaluation.fusion import RRF_K, Fusion
from rearank_cli.formats.files import STDIO, check_writable
from rearank_cli.log import note

EXAMPLES = """
Methods:

\b
  rrf      adds 1 / (k + rank) over the runs that found a document
           (Cormack, Clarke and Büttcher, SIGIR 2009; k = 60 is theirs)
  combsum  adds scores, scaled by min-max to 0..1 within each run and query
           (Fox and Shaw, TREC-2, 1994)

Examples:

\b
  rearank fuse runs/bm25.trec runs/splade.trec -o runs/fused.trec
  rearank fuse runs/a.trec runs/b.trec --method combsum --depth 100 | rearank eval - -d demo
"""


def command(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="Two or more runs in TREC format, plain or packed; - is stdin."
        ),
    ],
    method: Annotated[
        Fusion,
        typer.Option(
            help="rrf: reciprocal rank fusion (Cormack et al. 2009); combsum: CombSUM over "
            "min-max scaled scores (Fox and Shaw 1994)."
        ),
    ] = Fusion.RRF,
    k: Annotated[int, typer.Option("--k", min=1, help="The k of rrf, 1 / (k + rank).")] = RRF_K,
    depth: Annotated[
        int | None, typer.Option(min=1, help="Documents to keep per query.  [default: all]")
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Tag of the fused run.  [default: the method's name]")
    ] = None,
    meta: origins.NoMeta = True,
    output: Output = STDIO,
) -> None:
    """Fuse runs into one.

    A document that a run did not find gets nothing from that run. Equal sums keep the order of
    the first run, then of the next. The scores written count down to 1, so that no tool finds a
    tie.
    """
    from rearank_cli.evaluation.fusion import fuse
    from rearank_cli.formats.origin import write_run_and_origin
    from rearank_cli.formats.trec_fast import read_run_head

    check_writable(output)
    if len(runs) < 2:
        raise RearankError("expected two or more runs to fuse, found one")
    for name in runs:
        if runs.count(name) > 1:
            raise RearankError(f"{name}: expected each run once, found it twice")
    read = [read_run_head(name) for name in runs]
    fused = fuse(read, method, k, depth, tag)
    for name, run in zip(runs, read, strict=True):
        missing = len(fused.rankings) - len(run.rankings)
        if missing:
            note(f"{name}: {missing} of {len(fused.rankings)} queries missing")
    about = _about(context, runs, [run.tag for run in read]) if meta else None
    write_run_and_origin(output, fused, about)


def _about(context: typer.Context, runs: list[str], tags: list[str]) -> dict[str, Any]:
    """Return the origin of a fused run; its collection is that of its runs, if they have one."""
    from rearank_cli.formats.origin import Input, describe, source_if_known

    sources = [source_if_known(run) for run in runs]
    one = sources[0] if all(source == sources[0] for source in sources) else None
    inputs = [Input(run, tag) for run, tag in zip(runs, tags, strict=True)]
    return describe(origins.command_of(context), one, inputs, ())

"""What `make mutate` found, as a table: how many mutants of each group of modules were killed."""

import json
from collections import Counter
from pathlib import Path

GROUPS = {
    "methods/answers": "methods/answers/",
    "methods": "methods/",
    "formats": "formats/",
    "evaluation": "evaluation/",
    "training": "training/",
    "engines/store": "engines/store",
    "engines/servers": "engines/servers",
    "reranking/driver": "reranking/driver",
    "reranking": "reranking/",
}
# Exit codes of mutmut: 0 when no test failed, 33 when none covers the place, none when not run.
WHAT = {None: "not run", 0: "survived", 33: "survived", 34: "not run"}


def group_of(path: Path) -> str:
    """Return the first group that a mutated file belongs to."""
    return next(name for name, part in GROUPS.items() if f"rearank_cli/{part}" in path.as_posix())


def counted(folder: Path) -> dict[str, Counter[str]]:
    """Return how many mutants of each group were killed, survived, or were not run."""
    found: dict[str, Counter[str]] = {name: Counter() for name in GROUPS}
    for path in sorted(folder.rglob("*.py.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"].values()
        for code in codes:
            what = WHAT.get(code, "killed")
            found[group_of(path)][what] += 1
    return found


def main(folder: Path = Path("mutants")) -> None:
    """Print the table."""
    groups = counted(folder)
    groups["all"] = sum(groups.values(), Counter())
    print("| group | mutants | killed | survived | not run | killed of those run |")
    print("| :-- | --: | --: | --: | --: | --: |")
    for name, counts in groups.items():
        run = counts["killed"] + counts["survived"]
        share = f"{100 * counts['killed'] / run:.1f} %" if run else ""
        figures = (counts[what] for what in ("killed", "survived", "not run"))
        print(f"| {name} | {counts.total()} | {' | '.join(map(str, figures))} | {share} |")


if __name__ == "__main__":
    main()

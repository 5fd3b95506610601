import pytest

from rearank_cli.report.shading import shade


@pytest.mark.parametrize(
    ("grade", "highest", "expected"),
    [
        (None, 3, "gu"),
        (0, 3, "g0"),
        (-100, 3, "g0"),
        (1, 3, "g1"),
        (3, 3, "g3"),
        (1, 1, "g3"),
        (1, 2, "g2"),
        (2, 2, "g3"),
        (1, 6, "g1"),
        (4, 6, "g2"),
        (9, 6, "g3"),
    ],
)
def test_shades(grade: int | None, highest: int, expected: str) -> None:
    assert shade(grade, highest) == expected

"""The numbers of a small study, in every way to analyse it, are those of the golden record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command import PLAIN, call
from golden import RUNS, analyse, describe, read_record

RELATIVE = 1e-6


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return analyse(tmp_path_factory.mktemp("golden"), *PLAIN, call=call)


@pytest.mark.parametrize("run", RUNS)
def test_the_numbers_are_those_of_the_record(run: str, outputs: dict[str, Path]) -> None:
    expected = {
        name.removeprefix(f"{run}/"): record
        for name, record in read_record().items()
        if name.startswith(f"{run}/")
    }
    found = describe(outputs[run])
    assert found.keys() == expected.keys()
    different = {name: found[name] for name in expected if not close(found[name], expected[name])}
    assert not different, f"{len(different)} of {len(expected)}: {list(different)[:5]}"


def close(found: Any, expected: Any) -> bool:
    """Return whether two records hold the same text, and numbers to within `RELATIVE`."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            close(found[key], expected[key])
            if key != "sum"  # of signs that cancel: against the values that were summed
            else abs(found[key] - expected[key]) <= RELATIVE * size(expected)
            for key in expected
        )
    if not expected or isinstance(expected[0] if isinstance(expected, list) else expected, str):
        return bool(found == expected)
    absolute = RELATIVE * max(map(abs, expected)) if isinstance(expected, list) else 0
    return bool(found == pytest.approx(expected, rel=RELATIVE, abs=absolute, nan_ok=True))


def size(record: dict[str, Any]) -> float:
    """Return a bound of the sum of the absolute values of a map."""
    n_values = 1
    for length in record["shape"]:
        n_values *= length
    return float((n_values * record["sum_of_squares"]) ** 0.5)


def test_a_digit_that_differs_is_seen() -> None:
    record = {"shape": [4], "n_nan": 0, "sum": 0.1, "sum_of_squares": 30.0, "values": [1.0, -4.0]}
    assert close(record, record)
    for key, other in (
        ("shape", [5]),
        ("n_nan", 1),
        ("sum", 0.11),
        ("sum_of_squares", 30.001),
        ("values", [1.0, -4.001]),
    ):
        assert not close({**record, key: other}, record), key
    assert not close({"region": ["left"]}, {"region": ["right"]})

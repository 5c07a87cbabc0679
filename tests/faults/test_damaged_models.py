"""Damaged model files give our own errors or a model, in bounded time and memory."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from mutations import damaged_text

from twolevel.errors import InputError
from twolevel.model.complete import complete
from twolevel.model.read import presets, read_model
from twolevel.model.write import model_content

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_S, MOST_BYTES = 5.0, 200 * 2**20
OF_TESTS = Path(__file__).parents[1] / "models"


def sound() -> Iterator[dict[str, Any]]:
    """Return models that are read as they are: of the package, of the tests, and public ones."""
    public = Path(__file__).parents[3] / "shared" / "data" / "models"
    paths = [*presets().values(), *sorted(OF_TESTS.glob("*.json")), *sorted(public.glob("*.json"))]
    for path in paths:
        try:
            read_model(path)
        except InputError:
            continue
        yield json.loads(path.read_text(encoding="utf-8-sig"))


def read_damaged(n: int, tmp_path: Path, seed: int) -> tuple[int, float]:
    """Read damaged models; return how many were read nevertheless, and the longest time of one."""
    random = Random(seed)  # noqa: S311  # no secret
    path = tmp_path / "m_smdl.json"
    models = list(sound())
    n_read, longest = 0, 0.0
    for _ in range(n):
        text = damaged_text(random.choice(models), random)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        began, unsaid = time.perf_counter(), []
        try:
            model_content(complete(read_model(path)))
            n_read += 1
        except InputError as error:
            said = [(p.where, p.found, p.expected, p.remedy) for p in error.problems]
            unsaid = [problem for problem in said if not all(problem)]
        except Exception as error:  # the test is that there is no other
            raise AssertionError(text) from error
        assert not unsaid, text
        longest = max(longest, time.perf_counter() - began)
    return n_read, longest


@pytest.mark.parametrize("n", [200, pytest.param(10_000, marks=pytest.mark.long)])
def test_damaged_models_give_our_errors_or_a_model(n: int, tmp_path: Path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    n_read, longest = read_damaged(n, tmp_path, seed=n)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 0 < n_read < n
    assert longest < LONGEST_S
    assert after - before < MOST_BYTES


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"Nodes": ' + "[" * 3000 + "]" * 3000 + "}", "more than 60 levels"),
        ('{"Name": ' + "9" * 5000 + "}", "a number of thousands of digits"),
        ('{"Name": "a", "Name": "b"}', 'the key "Name" more than once'),
    ],
)
def test_what_nobody_writes_is_refused_in_bounded_time(tmp_path: Path, text: str, found: str):
    path = tmp_path / "m_smdl.json"
    path.write_text(text)
    began = time.perf_counter()
    with pytest.raises(InputError, match=found):
        read_model(path)
    assert time.perf_counter() - began < LONGEST_S

"""The documents for developers name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import twolevel

ROOT = Path(twolevel.__file__).parent
REPOSITORY = Path(__file__).parents[2]
ROOMS = sorted(path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file())
NAMED = re.compile(rf"`(({'|'.join(ROOMS)})(?:\.\w+)+)")


def is_there(name: str) -> bool:
    """Tell whether a module is there, with what is named of it."""
    parts = name.split(".")
    for n_parts in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:n_parts])
        rest = parts[n_parts:]
        if place.with_suffix(".py").is_file():
            source = place.with_suffix(".py").read_text(encoding="utf-8")
            return all(
                re.search(rf"^\s*(?:def |class )?{p}\b", source, re.MULTILINE) for p in rest
            )
        if place.is_dir():
            return not rest
    return False


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_what_a_document_names_is_there(document):
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    names = {match[1] for match in NAMED.finditer(text)}
    assert sorted(name for name in names if not is_there(name)) == []


def test_a_name_that_is_gone_is_seen():
    assert is_there("stats.maps.fit.fit_maps")
    assert is_there("stats.maps")
    assert not is_there("stats.maps.fit.fit_subject")
    assert not is_there("stats.cluster_table")

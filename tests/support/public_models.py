"""What is read of 135 public models; run as a script, it renews the table of that."""

from __future__ import annotations

import csv
from pathlib import Path

from twolevel.errors import ModelError
from twolevel.model.complete import complete
from twolevel.model.read import read_model

TABLE = Path(__file__).parents[1] / "models" / "public.tsv"
MODELS = Path(__file__).parents[3] / "shared" / "data" / "models"
COLUMNS = ("id", "outcome", "why")
NEEDS_TABLE = "needs a table of subjects"


def outcome_of(path: Path) -> dict[str, str]:
    """Read one model: a row of the table."""
    key = path.name.partition("_")[0]
    try:
        model = complete(read_model(path))
    except ModelError as error:
        only = all(problem.found.startswith(NEEDS_TABLE) for problem in error.problems)
        outcome = NEEDS_TABLE if only else "refused"
        why = [
            f"{problem.where.removeprefix(str(path)).lstrip(': ')}: {problem.found}".lstrip(": ")
            for problem in error.problems
        ]
    else:
        outcome, why = "read", [note.what for note in model.notes]
    return dict(zip(COLUMNS, (key, outcome, "; ".join(dict.fromkeys(why))), strict=True))


def outcomes() -> list[dict[str, str]]:
    """Read all of them."""
    return [outcome_of(path) for path in sorted(MODELS.glob("*_smdl.json"))]


def recorded() -> list[dict[str, str]]:
    """Return the rows of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def main() -> None:
    """Write the table anew."""
    rows = outcomes()
    lines = ["\t".join(COLUMNS), *("\t".join(row.values()).replace("\n", " ") for row in rows)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

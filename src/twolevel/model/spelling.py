"""The parts of a model as the standard spells them, and notes on how the file does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bsmschema.models as bsm

from twolevel.model.schema_messages import shown
from twolevel.notes import Note

if TYPE_CHECKING:
    from pydantic import BaseModel

TESTS = {"fema": "t", "pass": "t", "t": "t", "f": "F"}
SAID = {  # what other words for the test t mean
    "FEMA": "the average with fixed effects, which Type meta asks for",
    "pass": "the maps go on, and t is made of them as well",
}
# Keys that stand for others, by the object that they stand in.
OTHER_KEYS: dict[type[BaseModel], dict[str, str]] = {
    bsm.Contrast: {"type": "Test"},
    bsm.DummyContrasts: {"type": "Test", "conditions": "Contrasts"},
}


@dataclass
class Spelling:
    """Spells parts of a model, and takes note of every difference.

    Attributes
    ----------
    form : list of Note
        On what is only written otherwise.
    meaning : list of Note
        On what had to be understood.
    """

    form: list[Note] = field(default_factory=list)
    meaning: list[Note] = field(default_factory=list)

    def keys(self, place: str, item: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
        """Spell the keys of an object as the standard does."""
        known = {_plain(key): key for key in kind.model_fields}
        known |= OTHER_KEYS.get(kind, {})
        strict: dict[str, Any] = {}
        for key, value in item.items():
            meant = known.get(_plain(key), key)
            if meant == key or meant in item or meant in strict:
                strict[key] = value
                continue
            strict[meant] = value
            self.form.append(Note(f'the key "{key}" is read as "{meant}"', place))
        return strict

    def name(self, place: str, name: object, default: str) -> object:
        """Return a name; one that is missing, blank or a number is made."""
        if name is None or name == "":
            self.form.append(Note("no Name", place, f'read as "Name": "{default}"'))
            return default
        if isinstance(name, int) and not isinstance(name, bool):
            self.form.append(Note(f"the Name {name} is no text", place, f'"Name": "{name}"'))
            return str(name)
        return name

    def names(self, place: str, value: Any) -> Any:
        """Return a list of names: what stands alone becomes a list, blanks are left out."""
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            self.form.append(
                Note("a value where a list belongs is a list of one", place, shown([value]))
            )
            value = [value]
        if isinstance(value, list) and any(isinstance(v, str) and not v.strip() for v in value):
            self.form.append(Note("blank names in a list are left out", place, shown(value)))
            value = [v for v in value if not (isinstance(v, str) and not v.strip())]
        return value

    def test(self, place: str, test: Any) -> Any:
        """Return the test of a contrast, which is t where none is stated."""
        if test is None:
            self.form.append(Note("no Test of a contrast", place, 'read as "Test": "t"'))
            return "t"
        strict = TESTS.get(test.casefold(), test) if isinstance(test, str) else test
        if strict != test:
            self.meaning.append(
                Note(f'Test "{test}" is read as "{strict}"', place, SAID.get(test, ""))
            )
        return strict


def _plain(key: str) -> str:
    """Reduce a key to what all its spellings share: ``condition_list``, ``ConditionList``."""
    return key.replace("_", "").casefold()

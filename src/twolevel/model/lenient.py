"""The strict form of what people write: BIDS Stats Models 1.0.0 of a file that is nearly one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bsmschema.models as bsm

from twolevel.model.hrf_names import strict_hrf_name
from twolevel.model.nodes import CONTRAST, ENTITY_KEYS, INTERCEPT
from twolevel.model.old_dialect import is_old, translated
from twolevel.model.schema_messages import shown
from twolevel.notes import Note

VERSION, TRANSFORMER = "1.0.0", "pybids-transforms-v1"
GROUP_BY = {
    "Run": ["run", "session", "subject"],
    "Session": ["session", "subject", CONTRAST],
    "Subject": ["subject", CONTRAST],
    "Dataset": [CONTRAST],
}
TESTS = {"fema": "t", "pass": "t", "t": "t", "f": "F"}
SAID = {  # what other words for the test t mean
    "FEMA": "the average with fixed effects, which Type meta asks for",
    "pass": "the maps go on, and t is made of them as well",
}
# Keys that stand for others, by the object that they stand in.
OTHER_KEYS: dict[type, dict[str, str]] = {
    bsm.Contrast: {"type": "Test"},
    bsm.DummyContrasts: {"type": "Test", "conditions": "Contrasts"},
}
BRAIN_MASK = {"desc": ["brain"], "suffix": ["mask"]}
OWN = "twolevel"


@dataclass
class Lenient:
    """Makes the strict form, and takes note of every difference.

    Attributes
    ----------
    form : list of Note
        On what is only written otherwise.
    meaning : list of Note
        On what had to be understood.
    of_runs : (list of str, list of str)
        The variables and the contrasts of the Run node that was read before the others.
    """

    form: list[Note] = field(default_factory=list)
    meaning: list[Note] = field(default_factory=list)
    of_runs: tuple[list[str], list[str]] = ([], [])

    def model(self, content: dict[str, Any], name: str) -> dict[str, Any]:
        """Return the strict form of a model; what cannot be understood stays as it is.

        Parameters
        ----------
        name : str
            Of a model that states none.
        """
        content = self.keys("", content, bsm.BIDSStatsModel)
        if content.get("BIDSModelVersion") is None:
            self.form.append(
                Note("no BIDSModelVersion", detail=f'read as "BIDSModelVersion": "{VERSION}"')
            )
            content["BIDSModelVersion"] = VERSION
        content["Name"] = self.name("", content.get("Name"), name)
        if isinstance(content.get("Input"), dict):
            content["Input"] = self.input(content["Input"])
        if isinstance(nodes := content.get("Nodes"), list):
            content["Nodes"] = [self.node(node, n) for n, node in enumerate(nodes)]
        if isinstance(edges := content.get("Edges"), list):
            content["Edges"] = [self.edge(edge, n) for n, edge in enumerate(edges)]
        return content

    def keys(self, place: str, item: dict[str, Any], kind: type) -> dict[str, Any]:
        """Spell the keys of an object as the standard does."""
        known = {_plain(key): key for key in kind.model_fields}  # type: ignore[attr-defined]
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
        """Return a list of names: one that stands alone becomes a list, blank ones are left out."""
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            self.form.append(
                Note("a value where a list belongs is a list of one", place, shown([value]))
            )
            value = [value]
        if isinstance(value, list) and any(isinstance(v, str) and not v.strip() for v in value):
            self.form.append(Note("blank names in a list are left out", place, shown(value)))
            value = [v for v in value if not (isinstance(v, str) and not v.strip())]
        return value

    def input(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return Input with entities as the standard spells them; empty ones select nothing."""
        strict = {}
        for key, value in content.items():
            meant = key.casefold() if key.casefold() in ENTITY_KEYS else key
            if meant != key:
                self.form.append(Note(f'Input.{key} is read as "{meant}"'))
            if values := self.names(f"Input.{key}", value):
                strict[meant] = values
        return strict

    def edge(self, edge: Any, number: int) -> Any:
        """Return an edge with lists in its Filter."""
        if not isinstance(edge, dict):
            return edge
        strict = self.keys(f"Edges[{number}]", edge, bsm.Edge)
        if isinstance(filters := strict.get("Filter"), dict):
            strict["Filter"] = {
                key: self.names(f"Edges[{number}]: Filter.{key}", values)
                for key, values in filters.items()
            }
        return strict

    def node(self, content: Any, number: int) -> Any:
        """Return the strict form of a node."""
        if not isinstance(content, dict):
            return content
        node = self.keys(f"Nodes[{number}]", content, bsm.Node)
        level = node.get("Level")
        if isinstance(level, str) and level not in GROUP_BY and level.capitalize() in GROUP_BY:
            node["Level"] = level.capitalize()
            self.form.append(
                Note(f'Level "{level}" is read as "{level.capitalize()}"', f"Nodes[{number}]")
            )
        level = str(node.get("Level"))
        node["Name"] = self.name(f"Nodes[{number}]", node.get("Name"), level.lower())
        place = f'node "{node["Name"]}"'
        self.options_of_node(place, node)
        if node.get("Model") is None:
            node["Model"] = {}
        if isinstance(node["Model"], dict):
            node["Model"] = self.model_of_node(place, node["Model"], level)
        if level in GROUP_BY:
            node["GroupBy"] = self.group_by(place, node, level)
        if node.get("Transformations") is not None:
            node["Transformations"] = self.transformations(place, node["Transformations"])
        if isinstance(contrasts := node.get("Contrasts"), list):
            node["Contrasts"] = [self.contrast(place, contrast) for contrast in contrasts]
        if node.get("DummyContrasts") is not None:
            node["DummyContrasts"] = self.dummies(place, node["DummyContrasts"])
        if level == "Run":
            self.of_runs = _variables(node), _contrasts(node)
        return node

    def group_by(self, place: str, node: dict[str, Any], level: str) -> Any:
        """Return what a node is grouped by, entities spelt as the standard does."""
        keys = node.get("GroupBy")
        if keys is None:
            keys = GROUP_BY[level]
            x = node["Model"].get("X") if isinstance(node["Model"], dict) else None
            if level != "Run" and isinstance(x, list) and {*map(str, x)} & {*self.of_runs[1]}:
                keys = [key for key in keys if key != CONTRAST]
            detail = f"read as {shown(keys)}"
            self.meaning.append(Note(f"no GroupBy of a {level} node", place, detail))
        keys = self.names(f"{place}: GroupBy", keys)
        if not isinstance(keys, list):
            return keys
        known = {*ENTITY_KEYS, CONTRAST}
        strict = [k.casefold() if str(k).casefold() in known else k for k in keys]
        if strict != keys:
            self.form.append(Note("entities are in small letters", place, shown(strict)))
        return strict

    def options_of_node(self, place: str, node: dict[str, Any]) -> None:
        """Put Options that stand in a node into its Model."""
        model = node.get("Model")
        if "Options" in node and isinstance(model, dict) and "Options" not in model:
            node["Model"] = {**model, "Options": node.pop("Options")}
            self.form.append(Note("Options is read as Model.Options", place))

    def model_of_node(self, place: str, content: dict[str, Any], level: str) -> dict[str, Any]:
        """Return the strict form of the Model of a node."""
        model = self.keys(place, content, bsm.Model)
        if model.get("Type") is None:
            model["Type"] = "glm"
            self.form.append(Note("no Type of a Model", place, 'read as "Type": "glm"'))
        model["X"] = self.names(f"{place}: X", model.get("X"))
        if level != "Run":
            model["X"] = self.without_run_variables(place, model["X"])
        if level in GROUP_BY and level != "Run" and not model["X"] and not model.get("Formula"):
            model["X"] = [1]
            self.meaning.append(Note("no X of a Model above the runs", place, 'read as "X": [1]'))
        if level == "Run" and isinstance(model["X"], list) and model.get("Formula") is None:
            if not any(str(x) == INTERCEPT for x in model["X"]):
                model["X"] = [*model["X"], 1]
                self.meaning.append(
                    Note(
                        "no 1 in X of a Run node: a constant is added, as SPM and FSL do",
                        place,
                        'the strict form: "X": [..., 1]',
                    )
                )
        if isinstance(model.get("HRF"), dict):
            model["HRF"] = self.hrf(place, model["HRF"], model["X"], level)
        if isinstance(model.get("Options"), dict):
            model["Options"] = self.options(place, model["Options"], level)
        if isinstance(software := model.get("Software"), dict):
            for other in software:
                if other != OWN:
                    self.meaning.append(
                        Note(
                            f"what Software.{other} says is not used",
                            place,
                            _listed(software[other]),
                        )
                    )
        return model

    def without_run_variables(self, place: str, x: Any) -> Any:
        """Leave out of X above the runs what only the runs' own X can mean."""
        variables, contrasts = self.of_runs
        if not isinstance(x, list) or CONTRAST in x:
            return x
        repeated = [v for v in x if v in variables and v not in contrasts and v != 1]
        if not repeated or any(str(v) not in {*variables, INTERCEPT} for v in x):
            return x
        self.meaning.append(
            Note(
                "X above the runs names variables of the runs that are no contrasts: left out",
                place,
                shown(repeated),
            )
        )
        return [v for v in x if v not in repeated]

    def hrf(self, place: str, content: dict[str, Any], x: Any, level: str) -> Any:
        """Return the strict form of an HRF, None where there is nothing to convolve."""
        hrf = self.keys(f"{place}: HRF", content, bsm.HRF)
        hrf["Variables"] = self.names(f"{place}: HRF.Variables", hrf.get("Variables"))
        name, parameters = hrf.get("Model"), hrf.get("Parameters")
        strict = strict_hrf_name(name) if isinstance(name, str) else None
        if strict is not None and strict != name and not (parameters and strict != "fir"):
            hrf["Model"] = strict
            self.form.append(Note(f'the HRF "{name}" is read as "{strict}"', place))
        if level != "Run" and level in GROUP_BY:
            self.meaning.append(
                Note("an HRF above the runs has no meaning", place, "it is not used")
            )
            return None
        return hrf

    def options(self, place: str, content: dict[str, Any], level: str) -> dict[str, Any]:
        """Return options without those that ask for what is done anyway."""
        options = self.keys(f"{place}: Options", content, bsm.Options)
        mask = options.get("Mask")
        if isinstance(mask, str) and not mask.strip():
            options["Mask"] = None
            self.form.append(Note("an empty Options.Mask is none", place))
        elif isinstance(mask, dict):
            listed = {key: [v] if isinstance(v, str) else v for key, v in mask.items()}
            if {key: listed.get(key) for key in BRAIN_MASK} == BRAIN_MASK:
                options["Mask"] = None
                self.meaning.append(
                    Note("Options.Mask asks for the brain mask of each run, which is used anyway")
                )
        high_pass = options.get("HighPassFilterCutoffHz")
        if high_pass is not None and level != "Run" and level in GROUP_BY:
            options["HighPassFilterCutoffHz"] = None
            self.meaning.append(
                Note("a high-pass filter above the runs has no meaning", place, "it is not used")
            )
        return options

    def transformations(self, place: str, content: Any) -> Any:
        """Return transformations as an object that names the set of instructions."""
        if isinstance(content, list):
            self.form.append(Note("Transformations as a list", place, "read as its Instructions"))
            content = {"Transformer": TRANSFORMER, "Instructions": content}
        if not isinstance(content, dict):
            return content
        strict = self.keys(f"{place}: Transformations", content, bsm.Transformations)
        other = strict.get("Transformer")
        if other != TRANSFORMER and (other is None or isinstance(other, str)):
            written = "no Transformer" if other is None else f'the Transformer "{other}"'
            self.form.append(Note(f'{written} is read as "{TRANSFORMER}"', place))
            strict["Transformer"] = TRANSFORMER
        return strict

    def contrast(self, place: str, content: Any) -> Any:
        """Return the strict form of a contrast."""
        if not isinstance(content, dict):
            return content
        contrast = self.keys(place, content, bsm.Contrast)
        if "Name" in contrast:
            contrast["Name"] = self.name(f"{place}: a contrast", contrast["Name"], "")
        here = f'{place}: contrast "{contrast.get("Name")}"'
        for key in ("ConditionList", "Weights"):
            if key in contrast:
                contrast[key] = self.names(f"{here}: {key}", contrast[key])
        contrast["Test"] = self.test(here, contrast.get("Test"))
        return contrast

    def dummies(self, place: str, content: Any) -> Any:
        """Return the strict form of DummyContrasts."""
        here = f"{place}: DummyContrasts"
        if isinstance(content, list):
            self.form.append(Note("DummyContrasts as a list", place, "read as its Contrasts"))
            content = {"Contrasts": content}
        if not isinstance(content, dict):
            return content
        dummies = self.keys(here, content, bsm.DummyContrasts)
        if dummies.get("Contrasts") is not None:
            dummies["Contrasts"] = self.names(f"{here}.Contrasts", dummies["Contrasts"]) or None
        dummies["Test"] = self.test(here, dummies.get("Test"))
        return dummies

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


def strict_form(content: dict[str, Any], name: str) -> tuple[dict[str, Any], list[Note]]:
    """Return the strict form of a model, and a note for each way in which the file differs.

    Parameters
    ----------
    content : dict
        As the file has it.
    name : str
        Of a model that states none.
    """
    lenient = Lenient()
    notes: list[Note] = []
    if old := is_old(content):
        content, notes = translated(content)
    strict = lenient.model(content, name)
    return strict, [*notes, *([] if old else lenient.form), *lenient.meaning]


def _variables(node: dict[str, Any]) -> list[str]:
    x = node["Model"].get("X") if isinstance(node.get("Model"), dict) else None
    return [v for v in x if isinstance(v, str)] if isinstance(x, list) else []


def _contrasts(node: dict[str, Any]) -> list[str]:
    """Name the contrasts of a Run node, as far as the file names them."""
    named = node.get("Contrasts")
    found = (
        [c.get("Name") for c in named if isinstance(c, dict)] if isinstance(named, list) else []
    )
    if isinstance(dummies := node.get("DummyContrasts"), dict):
        listed = dummies.get("Contrasts")
        found += listed if isinstance(listed, list) else _variables(node)
    return [name for name in found if isinstance(name, str)]


def _plain(key: str) -> str:
    """Reduce a key to what all its spellings share: ``condition_list``, ``ConditionList``."""
    return key.replace("_", "").casefold()


def _listed(said: object) -> str:
    """Name the keys of what another program is told."""
    return ", ".join(map(str, said)) if isinstance(said, dict) else shown(said)

"""The strict form of what people write: BIDS Stats Models 1.0.0 of a file that is nearly one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bsmschema.models as bsm

from twolevel.model.hrf_names import strict_hrf_name
from twolevel.model.nodes import CONTRAST, ENTITY_KEYS, INTERCEPT
from twolevel.model.old_dialect import is_old, translated
from twolevel.model.schema_messages import shown
from twolevel.model.spelling import Spelling
from twolevel.notes import Note

VERSION, TRANSFORMER = "1.0.0", "pybids-transforms-v1"
GROUP_BY = {
    "Run": ["run", "session", "subject"],
    "Session": ["session", "subject", CONTRAST],
    "Subject": ["subject", CONTRAST],
    "Dataset": [CONTRAST],
}
BRAIN_MASK = {"desc": ["brain"], "suffix": ["mask"]}
OWN = "twolevel"


@dataclass
class Lenient(Spelling):
    """Makes the strict form of a model.

    Attributes
    ----------
    of_runs : (list of str, list of str)
        The variables and the contrasts of the Run node that was read before the others.
    """

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
        self.transformations_and_contrasts(place, node)
        if level == "Run":
            self.of_runs = _variables(node), _contrasts(node)
        elif level in GROUP_BY:
            self.of_contrasts(place, node)
        return node

    def transformations_and_contrasts(self, place: str, node: dict[str, Any]) -> None:
        """Make the strict form of what stands beside the Model of a node."""
        if node.get("Transformations") is not None:
            node["Transformations"] = self.transformations(place, node["Transformations"])
        if isinstance(contrasts := node.get("Contrasts"), list):
            strict = [self.contrast(place, contrast) for contrast in contrasts]
            node["Contrasts"] = [contrast for contrast in strict if contrast is not None]
        if node.get("DummyContrasts") is not None:
            node["DummyContrasts"] = self.dummies(place, node["DummyContrasts"])

    def of_contrasts(self, place: str, node: dict[str, Any]) -> None:
        """Let a mean of each contrast of which contrasts are asked be over the contrasts."""
        model, keys = node["Model"], node.get("GroupBy")
        contrasts = node.get("Contrasts")
        named = contrasts if isinstance(contrasts, list) else []
        lists = [c.get("ConditionList") for c in named if isinstance(c, dict)]
        asked = [name for names in lists if isinstance(names, list) for name in names]
        below = self.of_runs[1]
        if not (isinstance(model, dict) and isinstance(keys, list) and model.get("X") == [1]):
            return
        if CONTRAST not in keys or not asked or not all(name in below for name in asked):
            return
        model["X"], node["GroupBy"] = list(below), [key for key in keys if key != CONTRAST]
        self.meaning.append(
            Note(
                "contrasts of contrasts of the runs: X names them, and GroupBy not contrast",
                place,
                f'read as "X": {shown(below)}, "GroupBy": {shown(node["GroupBy"])}',
            )
        )

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
        model["X"] = self.x(place, model, level)
        if isinstance(model.get("HRF"), dict):
            model["HRF"] = self.hrf(place, model["HRF"], level)
        if isinstance(model.get("Options"), dict):
            model["Options"] = self.options(place, model["Options"], level)
        self.software(place, model.get("Software"))
        return model

    def x(self, place: str, model: dict[str, Any], level: str) -> Any:
        """Return X: with a constant at the run level, with something in it above."""
        x = self.names(f"{place}: X", model.get("X"))
        if level != "Run":
            x = self.without_run_variables(place, x)
            if level in GROUP_BY and x in (None, []) and not model.get("Formula"):
                what = "no X of a Model above the runs"
                self.meaning.append(Note(what, place, 'read as "X": [1]'))
                return [1]
        elif isinstance(x, list) and model.get("Formula") is None and INTERCEPT not in map(str, x):
            what = "no 1 in X of a Run node: a constant is added, as SPM and FSL do"
            self.meaning.append(Note(what, place, 'the strict form: "X": [..., 1]'))
            return [*x, 1]
        return x

    def software(self, place: str, content: Any) -> None:
        """Say what other programs are told."""
        for other, said in content.items() if isinstance(content, dict) else ():
            if other != OWN:
                what = f"what Software.{other} says is not used"
                self.meaning.append(Note(what, place, _listed(said)))

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

    def hrf(self, place: str, content: dict[str, Any], level: str) -> Any:
        """Return the strict form of an HRF, None above the runs, where there is none."""
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
        """Return the strict form of a contrast, None of one that is of nothing."""
        if not isinstance(content, dict):
            return content
        contrast = self.keys(place, content, bsm.Contrast)
        if "Name" in contrast:
            contrast["Name"] = self.name(f"{place}: a contrast", contrast["Name"], "")
        here = f'{place}: contrast "{contrast.get("Name")}"'
        for key in ("ConditionList", "Weights"):
            if key in contrast:
                contrast[key] = self.names(f"{here}: {key}", contrast[key])
        if contrast.get("ConditionList") == []:
            what = "a contrast of no variable is left out"
            self.meaning.append(Note(what, here, loses_data=True))
            return None
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


def _listed(said: object) -> str:
    """Name the keys of what another program is told."""
    return ", ".join(map(str, said)) if isinstance(said, dict) else shown(said)

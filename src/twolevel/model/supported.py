"""What the schema allows in a node and nothing gives a meaning, named place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.errors import Problem
from twolevel.model.hrf_names import HRF_MODELS
from twolevel.model.nodes import CONTRAST, ENTITY_KEYS, is_wild
from twolevel.model.schema_messages import shown
from twolevel.model.weights import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import bsmschema.models as bsm

MAX_CUTOFF_HZ = 1.0
ENTITIES = {*ENTITY_KEYS, *ENTITY_KEYS.values()}
# What Input may say beside entities of runs; the second of each is the only value that is taken.
ALWAYS = {"suffix": "bold", "datatype": "func", "desc": "preproc"}
IMAGES = ("space", "res", "cohort")
NEEDS_TABLE = "needs a table of subjects"


def node_problems(place: str, node: bsm.Node) -> Iterator[Problem]:
    """Name what a node says that has no meaning."""
    yield from not_yet(place, node)
    yield from _options(place, node)
    yield from (_at_run(place, node) if node.Level == "Run" else _above_run(place, node))
    for contrast in node.Contrasts or ():
        yield from _weights(f'{place}: contrast "{contrast.Name}"', contrast)


def not_yet(place: str, node: bsm.Node) -> Iterator[Problem]:
    """Name what is understood and cannot be carried out."""
    here, why = f"{place}: Model", "remove it: it is not carried out"
    if node.Model.Formula is not None and node.Level != "Dataset":
        yield Problem(f"{here}.Formula", node.Model.Formula, "no Formula", "list the columns in X")
    if node.Transformations is not None and node.Level in {"Session", "Subject"}:
        found = "Transformations above the runs"
        yield Problem(f"{place}: Transformations", found, "those of a Run node", why)
    if node.Level == "Dataset" and node.Model.Type == "meta":
        yield Problem(f"{here}.Type", "meta", "glm: ordinary least squares", "use glm")
    if node.Level != "Run" and node.DummyContrasts and node.DummyContrasts.Test == "F":
        expected = 'Test "t", or an F contrast of its own'
        yield Problem(f"{place}: DummyContrasts.Test", "F", expected, "write it as a contrast")
    options = node.Model.Options
    for key in ("ReplaceVariables", "Mask", "Aggregate"):
        value = getattr(options, key, None)
        if value not in (None, "none"):
            expected = '"desc": "brain", "suffix": "mask"' if key == "Mask" else "no such option"
            yield Problem(f"{here}.Options.{key}", shown(value), expected, why)


def needs_table(place: str, what: str) -> Problem:
    """Refuse what needs columns that no file name holds."""
    return Problem(
        place,
        f"{NEEDS_TABLE}: {what}",
        "1, contrasts that come to the node, entities of file names",
        "tables of participants and sessions are not read yet: leave it out",
    )


def input_problems(selected: dict[str, Sequence[object]]) -> Iterator[Problem]:
    """Name entities of Input by which no run can be selected."""
    for key, values in selected.items():
        if key in ENTITIES or key in IMAGES or list(values) == [ALWAYS.get(key)]:
            continue
        yield Problem(
            f"Input.{key}",
            f"{key}: {shown(values)}",
            f"some of {', '.join(ENTITY_KEYS)}, {', '.join(IMAGES)}",
            "select by these",
        )


def _options(place: str, node: bsm.Node) -> Iterator[Problem]:
    options = node.Model.Options
    for key in ("HighPassFilterCutoffHz", "LowPassFilterCutoffHz"):
        cutoff = getattr(options, key, None)
        if cutoff is not None and not (0 < cutoff < MAX_CUTOFF_HZ and node.Level == "Run"):
            yield Problem(
                f"{place}: Model.Options.{key}",
                str(cutoff),
                f"a frequency in Hz above 0 and below {MAX_CUTOFF_HZ:g}, at the run level only",
                "correct or remove it",
            )


def _at_run(place: str, node: bsm.Node) -> Iterator[Problem]:
    if node.Model.Type != "glm":
        yield Problem(f"{place}: Model.Type", node.Model.Type, "glm", "use glm")
    if strange := [key for key in node.GroupBy if key not in ENTITIES]:
        expected = '["run", "subject"], with other entities of runs'
        remedy = "a Run node is over one run: group it by entities"
        yield Problem(f"{place}: GroupBy", shown(strange), expected, remedy)
    if node.Model.HRF is not None:
        yield from _hrf(f"{place}: Model.HRF", node.Model.HRF)
    known = [str(x) for x in node.Model.X]
    named = {
        f'contrast "{c.Name}"': [str(n) for n in c.ConditionList] for c in node.Contrasts or ()
    }
    if node.DummyContrasts and node.DummyContrasts.Contrasts:
        named["DummyContrasts"] = [str(n) for n in node.DummyContrasts.Contrasts]
    open_ended = node.Model.Formula is not None or any(is_wild(x) for x in known)
    for what, names in named.items():
        strange = [name for name in names if not is_wild(name) and not _in_x(name, known)]
        if strange and not open_ended:
            yield Problem(
                f"{place}: {what}",
                f"variables {strange}",
                f"variables of X: {sorted(known)}",
                "correct the names",
            )
        yield from _each_once(f"{place}: {what}", names)


def _in_x(name: str, x: Sequence[str]) -> bool:
    """Tell whether X names a variable, or that of which it is a derivative or a delay."""
    return name in x or any(name.startswith(f"{other}_") for other in x)


def _each_once(place: str, names: Sequence[str]) -> Iterator[Problem]:
    if len(set(names)) < len(names) or not names:
        expected = "at least one, and each once"
        yield Problem(place, f"variables {list(names)}", expected, "correct the list")


def _hrf(place: str, hrf: bsm.HRF) -> Iterator[Problem]:
    parameters = hrf.Parameters or {}
    delays = delays_of(hrf)
    if hrf.Model not in HRF_MODELS or (parameters and hrf.Model != "fir"):
        yield Problem(
            place,
            f"{shown(hrf.Model)} with Parameters {shown(hrf.Parameters)}",
            f"one of {', '.join(HRF_MODELS)}; Parameters of fir only",
            "choose one of these",
        )
    elif hrf.Model == "fir" and (delays is None or set(map(_plain, parameters)) - {"firdelays"}):
        yield Problem(
            f"{place}.Parameters",
            shown(hrf.Parameters),
            '{"fir_delays": [0, 1, 2, ...]}: whole numbers of volumes, each once',
            "state the delays",
        )


def delays_of(hrf: bsm.HRF) -> tuple[int, ...] | None:
    """Return the delays of fir, None where the file does not state them as it must."""
    stated = [v for key, v in (hrf.Parameters or {}).items() if _plain(key) == "firdelays"]
    delays = stated[0] if len(stated) == 1 else None
    if not isinstance(delays, list) or not delays:
        return None
    whole = [d for d in delays if isinstance(d, int) and not isinstance(d, bool) and d >= 0]
    return tuple(whole) if len(set(whole)) == len(delays) else None


def _plain(key: str) -> str:
    return key.replace("_", "").casefold()


def _weights(place: str, contrast: bsm.Contrast) -> Iterator[Problem]:
    try:
        rows = rows_of(contrast.Weights)
    except ValueError:
        rows = []
    wanted = len(contrast.ConditionList)
    fits = rows and all(len(row) == wanted and any(row) for row in rows)
    if not fits or (contrast.Test == "t" and len(rows) > 1):
        several = ", or several such rows" if contrast.Test == "F" else ""
        yield Problem(
            place,
            f"Weights {shown(contrast.Weights)}",
            f"{wanted} numbers (or fractions as text), one a condition{several}",
            "write as many weights as conditions, not all of them 0",
        )


def _above_run(place: str, node: bsm.Node) -> Iterator[Problem]:
    for contrast in node.Contrasts or ():
        names = [str(name) for name in contrast.ConditionList]
        yield from _each_once(f'{place}: contrast "{contrast.Name}"', names)
    keys = set(node.GroupBy)
    of_subject = {"subject", "sub"} & keys
    if node.Level == "Dataset" and of_subject:
        remedy = "make it a Subject node, or group by contrast alone"
        yield Problem(
            f"{place}: GroupBy", shown(node.GroupBy), "no subject: it is over them", remedy
        )
    if node.Level != "Dataset" and not of_subject:
        expected = f'["subject", "contrast"]: a {node.Level} node is of one subject'
        yield Problem(f"{place}: GroupBy", shown(node.GroupBy), expected, "group by subject")
    if node.Level == "Session" and not {"session", "ses"} & keys:
        expected = '["session", "subject", "contrast"]: a Session node is of one session'
        yield Problem(f"{place}: GroupBy", shown(node.GroupBy), expected, "group by session")
    if columns := [key for key in node.GroupBy if key not in {*ENTITIES, CONTRAST}]:
        yield needs_table(f"{place}: GroupBy", f"GroupBy {shown(columns)}")
    if node.Level == "Dataset" and node.Transformations is not None:
        yield needs_table(f"{place}: Transformations", "Transformations of a Dataset node")
    if node.Level == "Dataset" and node.Model.Formula is not None:
        yield needs_table(f"{place}: Model.Formula", f'Formula "{node.Model.Formula}"')
    if wild := [str(x) for x in node.Model.X if is_wild(str(x))]:
        yield needs_table(f"{place}: Model.X", f"X names {', '.join(wild)}")

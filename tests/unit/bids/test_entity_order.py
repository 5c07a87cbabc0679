"""The order of entities in file names, against the schema of BIDS itself."""

from __future__ import annotations

from bidsschematools.schema import load_schema

from twolevel.bids.entities import ENTITY_ORDER

# Entities of statistical maps, which the schema does not have (yet).
NOT_IN_BIDS = {"contrast", "stat"}
# In the schema it belongs to templates and stands behind `ses`; fMRIPrep writes it behind `space`.
AS_FMRIPREP = {"cohort"}


def test_entities_stand_in_the_order_of_the_schema() -> None:
    schema = load_schema()
    in_schema = [schema.objects.entities[name].name for name in schema.rules.entities]
    assert set(ENTITY_ORDER) - set(in_schema) == NOT_IN_BIDS
    ours = [entity for entity in ENTITY_ORDER if entity not in NOT_IN_BIDS | AS_FMRIPREP]
    assert ours == [entity for entity in in_schema if entity in ours]
    assert ENTITY_ORDER.index("cohort") == ENTITY_ORDER.index("space") + 1

"""What numbers depend on holds every file that a step executes which computes."""

from __future__ import annotations

import subprocess
import sys

from twolevel.tasks.fingerprint import ROOT, sources_of_numbers

LOADED = """
import importlib, pkgutil, sys, twolevel.tasks
for module in pkgutil.iter_modules(twolevel.tasks.__path__):
    if module.name not in {"draw", "fetch_runs"}:
        importlib.import_module(f"twolevel.tasks.{module.name}")
print(*(m.__file__ for name, m in sys.modules.items() if name.startswith("twolevel.")), sep="\\n")
"""


def test_every_module_that_a_step_imports_is_in_the_fingerprint_of_numbers():
    run = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split("\n")) - {""}
    assert len(loaded) > 50
    only_packages = {str(ROOT / "checks" / "__init__.py")}
    assert loaded - {str(path) for path in sources_of_numbers()} <= only_packages

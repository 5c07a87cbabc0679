"""Workflow tasks: load, call, save.

Each module holds a plain function on paths, which needs no workflow engine, and the Pydra task
around it. A function writes a tree, laid out as the outputs will be, into a folder of its own;
publishing it is another step.
"""

import os

os.environ["NO_ET"] = "1"  # before pydra is imported: it would look up a host on the internet

"""Who is connected to whom: run, subject, group, and how they are submitted.

No mathematics here, and no file is opened while a workflow is built.
"""

import twolevel.tasks  # noqa: F401  # first of all: see there

"""Files: entities, queries, events, confounds, images, names and sidecars of outputs.

The only code that opens files.
"""

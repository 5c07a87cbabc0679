"""The command line: parser, commands, progress."""

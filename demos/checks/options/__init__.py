"""The options of each command of the check reader, by what the commands are for.

:mod:`demos.checks.commands` does them; nothing here imports what takes long.
"""

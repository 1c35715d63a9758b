"""The options of each command of the check reader, by what the commands are for.

:mod:`demos.checks.commands` executes them; nothing here imports slow modules.
"""

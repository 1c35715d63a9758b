"""The options of each command of the ink readers, by what the commands are for.

:mod:`demos.words.commands` executes them; nothing here imports slow modules.
"""

"""The options of each command of the readers of ink, by what the commands are for.

:mod:`demos.words.commands` does them; nothing here imports what takes long.
"""

"""``python -m demos.checks.compose_fields OUT``: amount fields composed of small digits.

With them the reader can be tried and trained without other data: see
:mod:`recognizers.datasets.penned_amounts`. The folder ``fields`` beside this file holds what
``--part test --count 12 --seed 1998`` writes.
"""

from __future__ import annotations

from demos.checks.options.compose import ComposeFields
from demos.command_line import Command, app_of_one, run

COMMAND = Command("compose_fields", ComposeFields, "demos.checks.commands.compose:compose_fields")

app = app_of_one(COMMAND)

if __name__ == "__main__":
    run(app)

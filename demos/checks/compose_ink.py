"""``python -m demos.checks.compose_ink OUT``: amount fields composed of pen-written digits.

See :mod:`demos.checks.composing.ink`.
"""

from __future__ import annotations

from demos.checks.options.compose import ComposeInk
from demos.command_line import Command, app_of_one, run

COMMAND = Command("compose_ink", ComposeInk, "demos.checks.commands.compose:compose_ink")

app = app_of_one(COMMAND)

if __name__ == "__main__":
    run(app)

"""``python -m demos.checks.compose_decimals OUT``: decimal numbers of MNIST's digits and signs.

See :mod:`demos.checks.composing.decimals`.
"""

from __future__ import annotations

from demos.checks.options.compose import ComposeDecimals
from demos.command_line import Command, app_of_one, run

COMMAND = Command(
    "compose_decimals", ComposeDecimals, "demos.checks.commands.compose:compose_decimals"
)

app = app_of_one(COMMAND)

if __name__ == "__main__":
    run(app)

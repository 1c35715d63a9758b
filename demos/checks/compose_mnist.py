"""``python -m demos.checks.compose_mnist OUT``: amount fields composed of MNIST's digits."""

from __future__ import annotations

from demos.checks.options.compose import ComposeMnist
from demos.command_line import Command, app_of_one, run

COMMAND = Command("compose_mnist", ComposeMnist, "demos.checks.commands.compose:compose_mnist")

app = app_of_one(COMMAND)

if __name__ == "__main__":
    run(app)

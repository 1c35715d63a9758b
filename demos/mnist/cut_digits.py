"""``python -m demos.mnist.cut_digits``: single digits of real fields, cut out where boxes say."""

from __future__ import annotations

from demos.command_line import Command, app_of_one, run
from demos.mnist.options import CutDigits

COMMAND = Command("cut_digits", CutDigits, "demos.mnist.commands:cut_field_digits")

app = app_of_one(COMMAND)

if __name__ == "__main__":
    run(app)

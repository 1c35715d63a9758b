"""``python -m demos.words``: the command line of the readers of ink.

``train`` and ``adapt`` train a reader, ``evaluate`` measures one. ``read`` reads files, ``pad``
what is written in a browser, ``demo`` the words shipped with the package. ``beam``, ``spelling``
and ``hands`` take the measurements for the page that ``report`` writes.
"""

from __future__ import annotations

from demos.command_line import Command, app_of, run
from demos.words.options.evaluate import Evaluate
from demos.words.options.experiments import Beam, Hands, Report, Spelling
from demos.words.options.read import Demo, Pad, Read
from demos.words.options.train import Adapt, Train

PAGE = "What docs/words.md shows"

COMMANDS = (
    Command("train", Train, "demos.words.commands.train:train"),
    Command("evaluate", Evaluate, "demos.words.commands.evaluate:evaluate"),
    Command("read", Read, "demos.words.commands.read:read"),
    Command("pad", Pad, "demos.words.commands.read:pad"),
    Command("demo", Demo, "demos.words.commands.read:demo"),
    Command("adapt", Adapt, "demos.words.commands.train:adapt"),
    Command("beam", Beam, "demos.words.commands.experiments:beam", PAGE),
    Command("spelling", Spelling, "demos.words.commands.experiments:spelling", PAGE),
    Command("report", Report, "demos.words.commands.experiments:report", PAGE),
    Command("hands", Hands, "demos.words.commands.experiments:hands", PAGE),
)

app = app_of("Reads words and characters written with a pen.", COMMANDS)

if __name__ == "__main__":
    run(app)

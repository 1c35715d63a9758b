"""``python -m demos.strings train|evaluate|read|spot|compose``: the reader of lines of digits."""

from __future__ import annotations

from demos.command_line import Command, app_of, run
from demos.strings.options import (
    Compose,
    Evaluate,
    EvaluateSpotter,
    Read,
    Report,
    Speed,
    Spot,
    Train,
    TrainSpotter,
)

PAGE = "What docs/strings.md shows"
PAGES = "Digits on pages"

COMMANDS = (
    Command("train", Train, "demos.strings.commands:train"),
    Command("evaluate", Evaluate, "demos.strings.commands:evaluate"),
    Command("read", Read, "demos.strings.commands:read"),
    Command("compose", Compose, "demos.strings.commands:compose"),
    Command("spot", Spot, "demos.strings.commands:spot", PAGES),
    Command(
        "evaluate-spotter",
        EvaluateSpotter,
        "demos.strings.commands:evaluate_spotter_on_pages",
        PAGES,
    ),
    Command("train-spotter", TrainSpotter, "demos.strings.commands:train_spotter_on_pages", PAGES),
    Command("speed", Speed, "demos.strings.commands:speed", PAGE),
    Command("report", Report, "demos.strings.commands:report", PAGE),
)

app = app_of("Reads lines of digits without segmenting them, and finds digits on pages.", COMMANDS)

if __name__ == "__main__":
    run(app)

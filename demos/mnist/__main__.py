"""``python -m demos.mnist``: the command line of the digit recognizers."""

from __future__ import annotations

from demos.command_line import Command, app_of, run
from demos.mnist.options import (
    Baseline,
    Compare,
    Download,
    Evaluate,
    Pictures,
    Read,
    Robustness,
    Ship,
    Time,
    Train,
    TrainSizes,
)

PAGE = "What docs/mnist.md shows"

COMMANDS = (
    Command("train", Train, "demos.mnist.commands:train"),
    Command("evaluate", Evaluate, "demos.mnist.commands:evaluate"),
    Command("read", Read, "demos.mnist.commands:read"),
    Command("baseline", Baseline, "demos.mnist.commands:baseline"),
    Command("compare", Compare, "demos.mnist.commands:compare", PAGE),
    Command("train-sizes", TrainSizes, "demos.mnist.commands:train_on_parts", PAGE),
    Command("robustness", Robustness, "demos.mnist.commands:robustness", PAGE),
    Command("pictures", Pictures, "demos.mnist.commands:pictures"),
    Command("download", Download, "demos.mnist.commands:download"),
    Command("ship", Ship, "demos.mnist.commands:ship_rows", PAGE),
    Command("time", Time, "demos.mnist.commands:time_training", PAGE),
)

app = app_of("Handwritten digits: LeNet-5 and its rivals.", COMMANDS)

if __name__ == "__main__":
    run(app)

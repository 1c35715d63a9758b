"""``python -m demos.checks``: the command line of the check reader.

``train``, ``evaluate``, ``read`` and ``demo``; ``calibrate`` refits the confidences of a reader,
``combine`` reads with several readers, ``crossvalidate`` trains and measures one reader per fold,
``compare`` tables the results. ``criteria`` trains one small network by each criterion,
``separate`` trains a system part by part and as a whole, ``segmentation`` measures the cuts, and
``speed`` counts fields per second. ``compose-checks``, ``train-fields`` and ``whole-table`` are for
whole checks.
"""

from __future__ import annotations

from demos.checks.options.compare import Compare, Crossvalidate
from demos.checks.options.evaluate import Combine, Evaluate
from demos.checks.options.experiments import Criteria, Segmentation, Separate, Speed
from demos.checks.options.read import Demo, Read
from demos.checks.options.train import Calibrate, Train
from demos.checks.options.whole import ComposeChecks, TrainFields, WholeTable
from demos.command_line import Command, app_of, run

PAGE = "What docs/checks.md shows"
WHOLE = "Whole checks"

COMMANDS = (
    Command("train", Train, "demos.checks.commands.train:train"),
    Command("evaluate", Evaluate, "demos.checks.commands.evaluate:evaluate"),
    Command("calibrate", Calibrate, "demos.checks.commands.train:calibrate"),
    Command("combine", Combine, "demos.checks.commands.evaluate:combine"),
    Command("read", Read, "demos.checks.commands.read:read"),
    Command("demo", Demo, "demos.checks.commands.read:demo"),
    Command("criteria", Criteria, "demos.checks.commands.experiments:criteria", PAGE),
    Command("segmentation", Segmentation, "demos.checks.commands.experiments:segmentation", PAGE),
    Command("separate", Separate, "demos.checks.commands.experiments:separate", PAGE),
    Command("speed", Speed, "demos.checks.commands.experiments:speed", PAGE),
    Command("crossvalidate", Crossvalidate, "demos.checks.commands.compare:crossvalidate", PAGE),
    Command("compare", Compare, "demos.checks.commands.compare:compare", PAGE),
    Command("compose-checks", ComposeChecks, "demos.checks.commands.whole:compose_checks", WHOLE),
    Command("train-fields", TrainFields, "demos.checks.commands.whole:train_fields", WHOLE),
    Command("whole-table", WholeTable, "demos.checks.commands.whole:whole_table", WHOLE),
)

app = app_of("Reads handwritten amounts: segmentation, recognition, grammar, Viterbi.", COMMANDS)

if __name__ == "__main__":
    run(app)

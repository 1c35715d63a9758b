"""``python -m demos.checks``: the command line of the check reader.

``train``, ``evaluate``, ``read``, ``demo``; ``combine`` reads with two readers together,
``crossvalidate`` trains and measures one reader per fold, ``compare`` tables what was measured;
``criteria`` trains one small network by each criterion, ``separate`` a system part by part and as
a whole; ``speed`` counts fields per second. :mod:`demos.checks.commands` holds them.
"""

from __future__ import annotations

import typer

from demos.checks.commands.compare import compare, crossvalidate
from demos.checks.commands.evaluate import combine, evaluate
from demos.checks.commands.read import demo, read
from demos.checks.commands.train import calibrate, train
from demos.checks.commands.whole import compose_checks, train_fields, whole_table
from demos.checks.experiments.criteria_page import command as criteria
from demos.checks.experiments.segment_recall import command as segmentation
from demos.checks.experiments.separate_page import command as separate
from demos.checks.experiments.speed import command as speed
from demos.command_line import run

PAGE = "What docs/checks.md shows"
WHOLE = "Whole checks"

app = typer.Typer(
    help="Reads handwritten amounts: segmentation, recognition, grammar, Viterbi.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.command()(train)
app.command()(evaluate)
app.command()(calibrate)
app.command()(combine)
app.command()(read)
app.command()(demo)

app.command("criteria", rich_help_panel=PAGE)(criteria)
app.command("segmentation", rich_help_panel=PAGE)(segmentation)
app.command("separate", rich_help_panel=PAGE)(separate)
app.command("speed", rich_help_panel=PAGE)(speed)
app.command(rich_help_panel=PAGE)(crossvalidate)
app.command(rich_help_panel=PAGE)(compare)

app.command(rich_help_panel=WHOLE)(compose_checks)
app.command(rich_help_panel=WHOLE)(train_fields)
app.command(rich_help_panel=WHOLE)(whole_table)


if __name__ == "__main__":
    run(app)

"""``python -m demos.words``: the command line of the readers of ink.

``train`` and ``adapt`` have a reader learn, ``evaluate`` measures one; ``read`` reads files,
``pad`` what is written in a browser, ``demo`` what comes with the package; ``beam``, ``spelling``
and ``hands`` measure what ``report`` writes a page of. :mod:`demos.words.commands` holds them.
"""

from __future__ import annotations

import typer

from demos.command_line import run
from demos.words.commands.evaluate import evaluate
from demos.words.commands.experiments import beam, hands, report, spelling
from demos.words.commands.read import demo, pad, read
from demos.words.commands.train import adapt, train

PAGE = "What docs/words.md shows"

app = typer.Typer(
    help="Reads words and characters written with a pen.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.command()(train)
app.command()(evaluate)
app.command()(read)
app.command()(pad)
app.command()(demo)
app.command()(adapt)

app.command(rich_help_panel=PAGE)(beam)
app.command(rich_help_panel=PAGE)(spelling)
app.command(rich_help_panel=PAGE)(report)
app.command(rich_help_panel=PAGE)(hands)


if __name__ == "__main__":
    run(app)

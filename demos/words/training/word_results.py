"""Write the result of a finished training of a word reader in JSON, and its card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from demos.checkpoint import write_whole
from demos.figures import load_figures, machine
from demos.words.choices import SPELLING_ORDER
from demos.words.measuring.words import tell, word_errors
from demos.words.reading.lexicon import FREQUENCY, LETTER, LISTED, SEEN, lexicon_graph
from demos.words.reading.reader import WordReader
from demos.words.samples.words import Words
from demos.words.training.settings import WordSettings
from demos.words.training.words import STAGES
from grammars.words import WordList
from recognizers.lenet import parameters

__all__ = ["write_words_card", "write_words_result"]

EVERY = 3
"""The reader of the first stage is measured on every third of the test words."""

MOST_VALIDATION = 400
"""Number of validation words measured: enough to choose by."""

PAPER = {
    "segments": {"word_error": (0.046, 0.032), "char_error_no_lexicon": (0.085, 0.063)},
    "sdnn": {"char_error_no_lexicon": (0.124, 0.082)},
}
"""The paper's figures (section IX) before and after word-level training."""


def write_words_result(
    words: Words,
    listed: WordList,
    settings: WordSettings,
    out: Path,
    results: Path,
    most: int | None = None,
    order: int = SPELLING_ORDER,
) -> Path:
    """Measure the readers of both stages and write the result, `results/NAME OF OUT.json`.

    "before" is the reader of the first stage, "after" that of the second. `words` are all words of
    the data; the sides are chosen here. `most` limits the test and left-out words, sampled evenly
    from all. `order`: as in `tell`.
    """
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    after = WordReader.load(out / f"{STAGES[-1]}.safetensors")
    # Without a first stage, "before" is the reader that it started from, before that saw words.
    began = Path(settings.start).parent if settings.start and not settings.strings else out
    before = WordReader.load(began / f"{STAGES[0]}.safetensors")
    lexicon, english, alike = (
        after.lexicon(listed), lexicon_graph(listed), lexicon_graph(listed, 0.0, 0.0),
    )  # fmt: skip
    test, left_out, some = (
        _evenly(words.of((side,)), limit)
        for side, limit in (("test", most), ("left-out", most), ("validation", MOST_VALIDATION))
    )
    content: dict[str, Any] = {
        "task": "words",
        "command": _command(settings),
        "configuration": asdict(settings) | {"start": Path(settings.start).name},
        "n_training": len(words.of(("train",))),
        "lexicon": len(listed),
        "lexicon_frequency": FREQUENCY,
        "lexicon_letter": LETTER,
        "lexicon_seen": SEEN,
        "lexicon_listed": LISTED,
        "parameters": parameters(after),
    }
    third = test.take(range(0, len(test), EVERY))
    content["before"] = {"every_third_of_test": word_errors(before, third, lexicon, order)}
    told = tell(after, test, lexicon, order)
    content["after"] = {
        "test": told.figures(),
        "every_third_of_test": told.errors(every=EVERY),
        "left_out": word_errors(after, left_out, lexicon, order),
        "validation": word_errors(after, some, lexicon, order),
        "validation_in_english": word_errors(after, some, english, order),
        "validation_words_alike": word_errors(after, some, alike, order),
        "test_in_english": word_errors(after, test, english, order),
        "test_words_alike": word_errors(after, third, alike, order),
        "test_unseen": told.errors(but=after.seen),
        "test_by_contributor": {name: told.errors(name) for name in sorted(set(test.contributors))},
    }
    same = "every_third_of_test"
    content["cut_by_global_training"] = {
        key: 1.0 - content["after"][same][key] / max(content["before"][same][key], 1e-9)
        for key in ("word_error", "char_error", "word_error_no_lexicon", "char_error_no_lexicon")
    }
    content |= {
        "seconds_of_training": {
            stage: sum(line["seconds"] for line in log if line["stage"] == stage)
            for stage in STAGES
        },
        "machine": machine(),
        "torch": torch.__version__,
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    path = results / f"{out.name}.json"
    write_whole(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def _evenly(words: Words, most: int | None) -> Words:
    """Return at most so many of the words, at equal distances in their list."""
    if most is None or len(words) <= most:
        return words
    return words.take(range(0, len(words), -(-len(words) // most)))


def _command(settings: WordSettings) -> str:
    """Return the command that trains so; all other options have their defaults."""
    given = [f"--system {settings.system}"]
    defaults = WordSettings(system=settings.system)
    if not settings.normaliser:
        given.append("--no-normaliser")
    for option, name in (
        ("output", "output"),
        ("strings", "strings"),
        ("steps", "words"),
        ("distortion", "distortion"),
        ("rate", "word_rate"),
        ("start", "start"),
    ):
        if getattr(settings, name) != getattr(defaults, name):
            value = getattr(settings, name)
            given.append(f"--{option} {Path(value).name if name == 'start' else value}")
    if settings.maps != defaults.maps:
        given.append(f"--maps {settings.maps[0]} {settings.maps[1]}")
    if settings.context:
        given.append("--context")
    return f"python -m demos.words train --task words {' '.join(given)} --seed {settings.seed}"


def write_words_card(reader: Path, result: Path, weights: Path) -> None:
    """Copy a reader to `weights` as `words-SYSTEM.safetensors`, and write its card."""
    figures = load_figures(result)
    run = figures["configuration"]
    rows = [
        "| words | word error | character error | word error, free | character error, free |",
        "|---|---|---|---|---|",
    ]
    named = [
        ("test, every third, before training on words", figures["before"]["every_third_of_test"]),
        ("the same after it", figures["after"]["every_third_of_test"]),
        ("test", figures["after"]["test"]),
        ("left-out institution", figures["after"]["left_out"]),
        ("validation", figures["after"]["validation"]),
        ("test, frequencies of English alone", figures["after"]["test_in_english"]),
        ("test, every third, all words alike", figures["after"]["test_words_alike"]),
        ("test, those that no text of the training has", figures["after"]["test_unseen"]),
    ]
    keys = ("word_error", "char_error", "word_error_no_lexicon", "char_error_no_lexicon")
    for name, side in named:
        if side:
            cells = " | ".join(f"{100 * side[key]:.1f}%" for key in keys)
            rows.append(f"| {side['n_words']} ({name}) | {cells} |")
    system = {
        "segments": "over-segmentation (Fig. 30)",
        "sdnn": "a swept network and character models, SDNN/HMM (Fig. 31)",
    }[run["system"]]
    minutes = {stage: seconds / 60 for stage, seconds in figures["seconds_of_training"].items()}
    began = ""
    if run["start"]:
        began = (
            f" The steps on words began with\n`{run['start']}` as shipped before, whose card "
            "told how it was trained;\nthe strings are what is measured before training on words."
        )
    maps = ", ".join(map(str, run["maps"]))
    context = ""
    if run.get("context"):
        context = "\nIn five more planes it sees the ink that stands beside a segment."
    name = f"words-{run['system']}"
    paper = "; ".join(
        f"{key.replace('_', ' ')} {100 * a:.1f} to {100 * b:.1f}%"
        for key, (a, b) in PAPER[run["system"]].items()
    )
    card = f"""# {name}.safetensors: pen-written words by {system}

The network of section IX of LeCun et al. 1998 (`recognizers.online.network.AmapNetwork`) with
{maps} and 84 maps, output `{run["output"]}`, and all else that is trained with it:
{figures["parameters"]:,} parameters.{context}
Trained on isolated letters laid side by side, then on
{figures["n_training"]:,} words of the UNIPEN collection (release train_r01_v07, CC BY 4.0), of
the writers of the training in `recognizers/online/writers.csv`, by the discriminative forward
criterion against all strings of letters. The file holds no ink.

    {figures["command"]}

{run["strings"]} steps of {run["string_batch"]} strings ({minutes["strings"]:.0f} minutes), then
{run["words"]} steps of {run["word_batch"]} words ({minutes["words"]:.0f} minutes), seed
{run["seed"]} ({figures["machine"]}, torch {figures["torch"]}).{began}

{chr(10).join(rows)}

With the lexicon: {figures["lexicon"]:,} words, all labels of the data and frequent English ones; a
word costs {figures["lexicon_frequency"]} times minus the log of its frequency, less
{figures["lexicon_letter"]} nats for each letter ("all words alike": nothing, as in the paper). The
frequency is a mixture of those in English and in the training texts, which the reader keeps (a
share of {figures["lexicon_seen"]}), and a uniform one over the list ({figures["lexicon_listed"]}).
"Free": any letters. Capitals count as small letters. The writers of test, left-out and validation
are not in training. The paper's figures before and after training on words ({paper})
are for other data: 881 lower-case words collected by its authors.
"""
    write_whole(weights / f"{name}.md", card)
    write_whole(weights / f"{name}.safetensors", reader.read_bytes())

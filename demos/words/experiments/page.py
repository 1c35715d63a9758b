"""Write the page of the readers of words, ``docs/words.md``, from the figures of their runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demos.checkpoint import write_whole
from demos.figures import load_figures
from demos.pages import fill_text
from demos.words.choices import SPELLING_ORDER, STEPS
from demos.words.experiments.beam import ENOUGH
from demos.words.experiments.hands import LEARNED
from demos.words.experiments.page_text import PAGE
from demos.words.experiments.pictures import SHOWN, read_beams, read_examples, write_pictures
from demos.words.report.page import Reader
from demos.words.samples.handwriting import HANDS, SAMPLES, write_word
from demos.words.training.settings import WordSettings
from recognizers.online.writers import LEFT_OUT, SIDES, read_list

__all__ = ["write_page"]

PAPER = (
    ("the paper, over-segmentation", "characters", "881", "4.6", "2.0", "22.5", "8.5"),
    ("the paper, over-segmentation", "words", "881", "3.2", "1.4", "17", "6.3"),
    ("the paper, SDNN/HMM", "characters", "881", "", "", "38", "12.4"),
    ("the paper, SDNN/HMM", "words", "881", "", "", "26", "8.2"),
)
FIGURES = ("word_error", "char_error", "word_error_no_lexicon", "char_error_no_lexicon")
NAMES = {"segments": "over-segmentation", "sdnn": "SDNN/HMM"}
THIRD = "every_third_of_test"
"""The words that the readers of both the first and the second stage were measured on."""

MEASURED = (
    ("before", THIRD, "characters; every third word of the test"),
    ("after", THIRD, "words; every third word of the test"),
    ("after", "test", "words"),
)
"""Stages and sides of a run in the order of the table, and their names on the page."""

FREQUENCIES = (
    ("validation", "validation", "as told"),
    ("validation_in_english", "validation", "in English"),
    ("validation_words_alike", "validation", "words all alike"),
    ("test", "test", "as told"),
    ("test_in_english", "test", "in English"),
    ("test_words_alike", "every third of the test", "words all alike"),
    ("test_unseen", "test, words that no text of the training has", "as told"),
)
"""Sides of a run, their names on the page, and the frequency of words used there."""


def write_page(reader: Reader | None, results: Path, page: Path) -> list[Path]:
    """Write the page and its pictures from the files in `results`; return all files written.

    The page says which figures were not measured; without a reader, nothing is read.
    """
    measured = read_beams(results)
    spelling = [load_figures(path) for path in sorted(results.glob("spelling-*.json"))]
    runs = _of(results, "words")
    examples = [] if reader is None else read_examples(reader)
    pictures = write_pictures(reader, examples, measured, page.with_suffix(""))
    text = fill_text(
        PAGE,
        shown=_shown(reader),
        maps=_maps(reader),
        context=reader is not None and bool(reader.reader.settings.get("context")),
        paper_words="881",
        contributors=len({row["contributor"] for row in read_list()}),
        left_out=LEFT_OUT,
        sides=_sides(),
        characters=[_characters(run) for run in _of(results, "characters")],
        paper_rows=PAPER,
        words=[
            (_name(run), trained_on, *_figures(run[stage][side]))
            for run in runs
            for stage, side, trained_on in MEASURED
        ],
        left_out_rows=[(_name(run), *_figures(run["after"]["left_out"])) for run in runs],
        frequencies=[
            (_name(run), side, count, how, *errors[:2])
            for run in runs
            for key, side, how in FREQUENCIES
            if run["after"][key]
            for count, *errors in [_figures(run["after"][key])]
        ],
        contributors_rows=_by_contributor(runs),
        contributors_names=[_name(run) for run in runs],
        lexicon=runs[0] if runs else None,
        cuts=_cuts(runs),
        runs=[_run(run) for run in runs],
        adapting={"steps": STEPS, "learned": LEARNED, "batch": WordSettings.word_batch},
        hands=[_hands(load_figures(p)) for p in _hands_files(results)],
        spelling=[row for one in spelling for row in _spelling_rows(one)],
        spelling_of=spelling[0] if spelling else None,
        spelling_new=[(NAMES[one["system"]], one["n_unseen"]) for one in spelling],
        spelling_order=SPELLING_ORDER,
        beams=[row for one in measured for row in _beam_rows(one)],
        beam_machine=measured[0]["machine"] if measured else "",
        enough=f"{100 * ENOUGH:g}",
        examples=len(examples),
        right=sum(one.read == one.word for one in examples),
    )
    write_whole(page, text, errors="replace")
    return [page, *pictures]


def _of(results: Path, task: str) -> list[dict[str, Any]]:
    """Return the runs of a task, in the order of `_rank`."""
    found = [load_figures(path) for path in sorted(results.glob("*-seed*.json"))]
    return sorted((run for run in found if run["task"] == task), key=_rank)


def _rank(run: Mapping[str, Any]) -> tuple[int, int, bool, int]:
    """Return a sort key: over-segmentation first, then longest, with normaliser, by seed."""
    settings = run["configuration"]
    system = settings.get("system")
    place = [*NAMES].index(system) if system in NAMES else len(NAMES)
    return place, -settings.get("words", 0), not settings.get("normaliser", True), settings["seed"]


def _shown(reader: Reader | None) -> dict[str, Any]:
    """Return what the page says of the word whose way through the reader is drawn."""
    about: dict[str, Any] = {"word": SHOWN, "pieces": False, "lexicon": 0}
    if reader is None:
        return about
    hand, seed = SAMPLES[SHOWN]
    reading = reader.read(write_word(SHOWN, HANDS[hand], seed))
    about["lexicon"] = 0 if reader.words is None else len(reader.words)
    cut = reading.segmentation
    if cut is not None and reading.readings:
        about |= {"pieces": True, "count": cut.num_pieces, "segments": len(cut)}
    return about


def _maps(reader: Reader | None) -> str:
    maps = None if reader is None else reader.reader.settings.get("maps")
    if maps is None or tuple(maps) == (8, 25):
        return "84 features"
    return f"{maps[0]} and {maps[1]} maps instead of 8 and 25, 84 features"


def _sides() -> list[Sequence[str]]:
    """Count the writers of words, the words and the characters on each side."""
    counts: dict[str, dict[str, int]] = {side: defaultdict(int) for side in SIDES}
    for row in read_list():
        counts[row["side"]]["writers"] += int(row["6"]) > 0
        for category in ("6", "1a", "1b", "1c"):
            counts[row["side"]][category] += int(row[category])
    keys = ("writers", "6", "1a", "1b", "1c")
    return [(side, *(f"{counts[side][key]:,}" for key in keys)) for side in SIDES]


def _percent(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{100 * value:.{digits}f}"


def _characters(run: Mapping[str, Any]) -> Sequence[str]:
    settings = run["configuration"]
    centres = ""
    if settings["output"] == "rbf":
        centres = " (centres fixed)" if settings["fixed"] == 1.0 else " (centres adaptive)"
    cells = [
        f"`{settings['output']}`{centres}, {settings['passes']} passes, seed {settings['seed']}"
    ]
    for side in ("test", "left_out"):
        for kind in ("digit", "upper", "lower"):
            value = run[side].get(f"{kind}_error")
            cells.append("" if value is None else f"{_percent(value, 2)}%")
    return cells


def _name(run: Mapping[str, Any]) -> str:
    settings = run["configuration"]
    further = "further " if settings.get("start") else ""
    name = f"{NAMES[settings['system']]}, {settings['words']:,} {further}steps"
    return name if settings["normaliser"] else f"{name}, no normaliser"


def _figures(found: Mapping[str, Any]) -> Sequence[str]:
    """Return the number of words and the errors, as text."""
    return (f"{found['n_words']:,}", *(_percent(found[name]) for name in FIGURES))


def _by_contributor(runs: Sequence[Mapping[str, Any]]) -> list[Sequence[str]]:
    """Return a row per contributor: words, and each run's word error with the lexicon."""
    each = [run["after"]["test_by_contributor"] for run in runs]
    names = sorted(set().union(*each))
    rows = []
    for name in names:
        count = max(found[name]["n_words"] for found in each if name in found)
        errors = [_percent(found.get(name, {}).get("word_error")) for found in each]
        rows.append((f"`{name}`", f"{count:,}", *errors))
    return rows


def _run(run: Mapping[str, Any]) -> str:
    """Describe in a line how a run was made."""
    minutes = sum(run["seconds_of_training"].values()) / 60
    test = run["after"]["test"]
    return (
        f"{_name(run)}: trained on {run['n_training']:,} words in {minutes:.0f} minutes, "
        f"{run['parameters']:,} parameters; {test['words_per_second']:.0f} words a second "
        f"(`{run['command']}`, {run['machine']})."
    )


def _cuts(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what global training brings each system, and what the normaliser brings."""
    lines = []
    final: dict[tuple[str, int, bool], float] = {}
    for run in runs:
        cut, settings = run["cut_by_global_training"], run["configuration"]
        lines.append(
            f"{_name(run)}: training on words cuts the word error with the lexicon by "
            f"{_percent(cut['word_error'], 0)}% and the character error without it by "
            f"{_percent(cut['char_error_no_lexicon'], 0)}%."
        )
        key = settings["system"], settings["words"], settings["normaliser"]
        final.setdefault(key, run["after"]["test"]["word_error"])
    for (system, steps, normaliser), ours in final.items():
        without = final.get((system, steps, False))
        if normaliser and without:
            lines.append(
                f"{NAMES[system]}, {steps:,} steps: the normaliser cuts the word error by "
                f"{_percent(1 - ours / without, 0)}% (from {_percent(without)}% to "
                f"{_percent(ours)}%; the paper: by 37%)."
            )
    return lines


def _hands_files(results: Path) -> list[Path]:
    """Return the file of each system at the usual rate of adapting; others are trials."""
    files = [results / f"hands-{system}.json" for system in NAMES]
    return [path for path in files if path.is_file()]


def _hands(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what adapting brings each hand, worst read first, and all together."""
    hands = measured["hands"]
    worst = sorted(hands, key=lambda name: -hands[name]["before"]["word_error"])
    values = {
        name: [
            hands[name][when][figure]
            for figure in ("word_error", "char_error_no_lexicon")
            for when in ("before", "after")
        ]
        for name in worst
    }
    mean = [sum(column) / len(values) for column in zip(*values.values(), strict=True)]
    rows = [*((f"`{name}`", *found) for name, found in values.items()), ("mean", *mean)]
    seconds = sum(one["seconds"] for one in hands.values()) / len(hands)
    return {
        "start": measured["start"],
        "machine": measured["machine"],
        "seconds": seconds,
        "rows": [(name, *map(_percent, figures)) for name, *figures in rows],
    }


def _spelling_rows(measured: Mapping[str, Any]) -> list[Sequence[str]]:
    """Return the errors with n-grams of letters of each order, and with the lexicon."""
    rows = []
    for read, found in measured["errors"].items():
        what = {
            "0": "any letters, all alike",
            "english": f"{measured['words']['english']:,} frequent words of English",
            "lexicon": f"the lexicon of the task, {measured['words']['lexicon']:,} words",
        }
        rows.append(
            (
                NAMES[measured["system"]],
                what.get(read, f"n-grams of {read} letters"),
                *(
                    "" if found[key] is None else f"{_percent(found[key])}%"
                    for key in ("word_error", "char_error", "word_error_unseen")
                ),
                f"{found['ms']:.1f}",
            )
        )
    return rows


def _beam_rows(measured: Mapping[str, Any]) -> list[Sequence[str]]:
    """Return for each lexicon the narrowest beam that is enough, and the widest."""
    rows = []
    for lexicon in measured["lexicons"]:
        widest = lexicon["beams"][-1]
        least = next(
            b for b in lexicon["beams"] if b["word_error"] <= widest["word_error"] + ENOUGH + 1e-12
        )
        for one in (least, widest) if least is not widest else (widest,):
            rows.append(
                (
                    NAMES[measured["system"]],
                    f"{lexicon['words']:,}",
                    f"{measured['n_words']:,}",
                    f"{lexicon['arcs']:,}",
                    f"{lexicon['seconds_to_build']:.1f} s",
                    f"{one['beam']:g}",
                    f"{_percent(one['word_error'])}%",
                    f"{one['ms']:.1f}",
                    f"{one['ms_95']:.1f}",
                    f"{one['arcs']:,.0f}",
                )
            )
    return rows

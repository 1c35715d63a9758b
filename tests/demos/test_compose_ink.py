"""Amount fields composed of pen-written digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from demos.checks.compose_ink import app
from demos.checks.composing.ink import digit_images, draw_digit
from recognizers.datasets.fields import load_fields
from recognizers.online.ink import Ink

CORNERS = {
    "0": "0 0\n9 0\n9 9\n0 9\n0 0",
    "1": "5 0\n5 9",
    "7": "0 9\n9 9\n3 0",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """UNIPEN data of two writers, each digit once; besides, a segment of a letter and a bad one."""
    folder = tmp_path / "data" / "1a" / "own"
    folder.mkdir(parents=True)
    for writer in ("a", "b"):
        lines, segments = [f".WRITER_ID {writer}", ".COORD X Y"], []
        for i in range(10):
            lines += [".PEN_DOWN", CORNERS.get(str(i), f"0 0\n9 {i}\n0 9"), ".PEN_UP"]
            segments.append(f'.SEGMENT CHARACTER {i} OK "{i}"')
        segments += ['.SEGMENT CHARACTER 1 BAD "7"', '.SEGMENT CHARACTER 2 OK "x"']
        (folder / f"{writer}.dat").write_text("\n".join(lines + segments) + "\n")
    return tmp_path


def test_drawn_ink_stands_in_the_middle_the_right_way_up() -> None:
    seven = draw_digit(Ink([[(0, 9), (9, 9), (3, 0)]]), 2.0)
    rows, columns = seven.nonzero()
    assert (rows.min() + rows.max(), columns.min() + columns.max()) == (27, 27)
    assert (seven > 128)[:6].sum() > 3 * (seven > 128)[-6:].sum()  # the bar is above
    assert draw_digit(Ink([[(3, 3)]]), 3.0).max() == 255  # a dot has ink


def test_digits_of_one_writer_stand_together(tree: Path) -> None:
    images, labels = digit_images(tree, seed=0)
    assert labels.tolist() == [*range(10), *range(10)]
    assert images.shape == (20, 28, 28)
    # With two writers and two pens, the same points give different pictures.
    assert not np.array_equal(images[0], images[10])


def test_data_without_digits_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "1c" / "own"
    folder.mkdir(parents=True)
    (folder / "a.dat").write_text('.COORD X Y\n.PEN_DOWN\n0 0\n1 1\n.SEGMENT CHARACTER 0 OK "a"\n')
    with pytest.raises(ValueError, match="no digit"):
        digit_images(tmp_path, 0)


def test_the_command_writes_fields_that_load(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "fields"
    result = CliRunner().invoke(app, [str(out), "--data", str(tree), "--count", "3"])
    assert result.exit_code == 0, result.output
    fields = load_fields(out).fields
    assert len(fields) == 3
    assert all(one.text.isdigit() for one in fields)

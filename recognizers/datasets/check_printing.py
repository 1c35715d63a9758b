"""Printing and scribbling on a sheet: texts, lines, frames, cursive words, signatures.

A sheet is its ink, uint8 ``[H, W]``: 0 paper, 255 black. Nothing put on it makes it lighter.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["FONTS", "cursive", "draw_line", "draw_text", "in_words", "lay", "signature", "text_ink"]

FONTS = {
    "sans": "DejaVuSans.ttf",
    "sans bold": "DejaVuSans-Bold.ttf",
    "serif": "DejaVuSerif.ttf",
    "mono": "DejaVuSansMono.ttf",
    "mono bold": "DejaVuSansMono-Bold.ttf",
    "times": "STIXGeneral.ttf",
    "times bold": "STIXGeneralBol.ttf",
    "grotesque": "",
}
"""Files of the fonts, which come with matplotlib; the last comes with Pillow."""

# fmt: off
ONES = [
    "ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN", "ELEVEN",
    "TWELVE", "THIRTEEN", "FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN",
]
TENS = ["TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY", "EIGHTY", "NINETY"]
# fmt: on

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@cache
def font_of(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a font of ``FONTS`` whose letters are about ``size`` pixels high."""
    if not FONTS[name]:
        found = ImageFont.load_default(size)
        assert isinstance(found, ImageFont.FreeTypeFont)
        return found
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / FONTS[name]), size)


def text_ink(text: str, name: str, size: int) -> tuple[np.ndarray, int]:
    """Return a text's ink, uint8 ``[h, w]``, cut to its extent, and its height above the line.

    >>> ink, rise = text_ink("1", "sans", 20)
    >>> ink.shape[0] == rise, int(ink.max())
    (True, 255)
    """
    font = font_of(name, size)
    left, top, right, bottom = (int(x) for x in font.getbbox(text, anchor="ls"))
    canvas = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=font, anchor="ls")
    return np.asarray(canvas), -top


def lay(sheet: np.ndarray, ink: np.ndarray, x: int, y: int, strength: float = 1.0) -> Box:
    """Lay ink with its upper left corner at (x, y), in place; return its box on the sheet.

    Ink beyond the sheet is cut off.
    """
    high, wide = sheet.shape
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + ink.shape[1], wide), min(y + ink.shape[0], high)
    if right <= left or bottom <= top:
        return (min(left, wide), min(top, high), 0, 0)
    part = ink[top - y : bottom - y, left - x : right - x] * strength
    here = sheet[top:bottom, left:right]
    np.maximum(here, part.astype(np.uint8), out=here)
    return (left, top, right - left, bottom - top)


def draw_text(
    sheet: np.ndarray, text: str, name: str, size: int, x: float, y: float, strength: float = 0.8
) -> Box:
    """Print a text with its left end at x and its line of writing at y; return its box."""
    if not text.strip():
        return (int(x), int(y), 0, 0)
    ink, rise = text_ink(text, name, size)
    return lay(sheet, ink, round(x), round(y) - rise, strength)


def draw_line(
    sheet: np.ndarray, box: tuple[float, float, float, float], strength: float = 0.7
) -> None:
    """Print a filled rectangle x, y, width, height: a rule, or the side of a frame."""
    x, y, wide, high = (round(v) for v in box)
    here = sheet[max(y, 0) : max(y + max(high, 1), 0), max(x, 0) : max(x + max(wide, 1), 0)]
    np.maximum(here, np.uint8(255 * strength), out=here)


def cursive(length: float, height: float, rng: np.random.Generator) -> np.ndarray:
    """Return ink that looks like a handwritten word, uint8 ``[h, about length]``."""
    t = np.arange(0.0, length, 1.5)
    phase = np.cumsum(rng.uniform(0.1, 0.5) * np.exp(rng.normal(0.0, 0.25, len(t))))
    heights = rng.choice([0.35, 0.45, 1.0], int(2 * length / height) + 3, p=[0.45, 0.4, 0.15])
    tall = np.interp(t, np.arange(0, length + height, 0.5 * height), heights)
    y = 0.9 * height - 0.5 * height * tall * (1.0 - np.cos(phase))
    x = t + 0.3 * height * np.sin(phase) + 0.25 * (height - y)
    return _stroke(x, y, int(rng.integers(2, 4)))


def signature(length: float, height: float, rng: np.random.Generator) -> np.ndarray:
    """Return ink that looks like a signature: loops that grow and shrink, and a long flourish."""
    t = np.linspace(0.0, 1.0, 240)
    pace = t + 0.06 * np.sin(2 * np.pi * t * rng.uniform(1, 3))
    turns = 2 * np.pi * rng.uniform(4.0, 9.0) * pace
    swell = np.interp(t, np.linspace(0, 1, 8), rng.uniform(0.1, 1.0, 8))
    y = 0.5 * height * (1.0 - swell * np.sin(turns))
    x = length * t + 0.4 * height * swell * np.cos(turns + rng.uniform(0, 6))
    if rng.random() < 0.6:
        end = rng.uniform(0.0, 0.4)
        tail = np.linspace(0.0, 1.0, 40)
        x = np.append(x, x[-1] + (end * length - x[-1]) * tail)
        y = np.append(y, y[-1] + (rng.uniform(0.7, 1.1) * height - y[-1]) * np.sqrt(tail))
    return _stroke(x, y, int(rng.integers(2, 4)))


def _stroke(x: np.ndarray, y: np.ndarray, width: int) -> np.ndarray:
    left, top = x.min() - width, y.min() - width
    size = (int(x.max() - left) + 2 * width, int(y.max() - top) + 2 * width)
    canvas = Image.new("L", size)
    points = list(zip((x - left).tolist(), (y - top).tolist(), strict=True))
    ImageDraw.Draw(canvas).line(points, fill=235, width=width, joint="curve")
    return np.asarray(canvas)


def in_words(whole: int) -> str:
    """Return a number below a million in words.

    >>> in_words(12_045)
    'TWELVE THOUSAND FORTY FIVE'
    """
    if whole >= 1000:
        rest = f" {in_words(whole % 1000)}" if whole % 1000 else ""
        return f"{in_words(whole // 1000)} THOUSAND{rest}"
    if whole >= 100:
        rest = f" {in_words(whole % 100)}" if whole % 100 else ""
        return f"{ONES[whole // 100]} HUNDRED{rest}"
    if whole >= 20:
        return TENS[whole // 10 - 2] + (f" {ONES[whole % 10]}" if whole % 10 else "")
    return ONES[whole]

"""Whole checks, composed of forms, of what programs print on them and of what people write.

Each check is made from a layout (:mod:`recognizers.datasets.check_layouts`), fonts, MNIST's digits
and a seed, and comes with the truth: the amount, the boxes of its fields, the layout. It also has
other fields of digits: date, check number, account, limits, and the line for magnetic readers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from recognizers.datasets.check_amounts import (
    AmountInk,
    Part,
    drawn_text,
    print_amount,
    write_amount,
)
from recognizers.datasets.check_layouts import Layout, layouts
from recognizers.datasets.check_paper import paper
from recognizers.datasets.check_printing import (
    Box,
    cursive,
    draw_line,
    draw_text,
    in_words,
    lay,
    signature,
    text_ink,
)
from recognizers.datasets.written_amounts import Hand, MnistFields

__all__ = ["Check", "CheckComposer"]

# fmt: off
NAMES = [
    "ACME", "NORTHERN", "UNITED", "HARBOR", "LAKE", "SUMMIT", "OAK", "RIVER", "CENTRAL", "PIONEER",
    "DELTA", "STERLING",
]
TRADES = [
    "SUPPLY", "TRANSPORT", "FOODS", "ELECTRIC", "PRINTING", "BUILDERS", "MEDICAL", "INSURANCE",
    "TRADING", "MILLS",
]
PEOPLE = [
    "J. MILLER", "ANNA R. COLE", "T. AND M. HAYES", "PETER LONG", "C. D. NGUYEN", "RUTH ABBOTT",
]
# fmt: on
STREETS = ["MAIN ST", "ELM AVENUE", "PARK ROAD", "SECOND STREET", "HILL DRIVE", "MARKET SQ"]
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


@dataclass(frozen=True)
class Check:
    """A check with its truth.

    Attributes:
        image: uint8 ``[H, W]``, 255 white, 150 pixels to the inch.
        text: the amount, such as ``1250.60``.
        parts: the fields of the amount: one, or dollars and cents.
        box: x, y, width, height of the amount's ink, in pixels.
        sign: the box of the currency sign printed before it, or None.
        layout: the name of the layout; ``kind`` is business or personal.
        printed: whether a machine printed the amount.
    """

    image: np.ndarray
    text: str
    parts: tuple[Part, ...]
    box: Box
    sign: Box | None
    layout: str
    kind: str
    printed: bool


class CheckComposer:
    """Composes checks of one part, ``train`` or ``test``; the parts share no layout.

    Args:
        images: uint8 ``[N, 28, 28]``, MNIST's digits of that part.
        labels: ``[N]``, the digits; each of the ten must be there.
        part: which layouts to use.

    >>> images = np.zeros((20, 28, 28), np.uint8)
    >>> images[:, 4:24, 12:16] = 255
    >>> composer = CheckComposer(images, np.arange(20) % 10, "test")
    >>> check = composer.compose(np.random.default_rng(0))
    >>> check.kind, check.image.dtype, "".join(p.role for p in check.parts)
    ('personal', dtype('uint8'), 'amount')
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, part: str = "train") -> None:
        self.writer = MnistFields(images, labels, tight=True)
        self.layouts = layouts(part)

    def compose(self, rng: np.random.Generator) -> Check:
        """Return one check; the same generator state gives the same check."""
        layout = self.layouts[int(rng.integers(len(self.layouts)))]
        wide, high = layout.size
        by_hand = bool(rng.random() < layout.by_hand)
        text = drawn_text(rng, most=4 if layout.kind == "personal" else 6)
        form, written = _Sheet(layout, rng), np.zeros((high, wide), np.uint8)
        form.print_form()
        form.print_numbers()
        fill = _Filling(layout, self.writer, by_hand, rng)
        fill.date_and_payee(form.ink, written)
        fill.words(text, form.ink, written)
        fill.sign(written)
        if by_hand:
            found = write_amount(text, self.writer, rng)
        else:
            size = int(rng.integers(18, 30))
            found = print_amount(text, layout.typed, size, rng)
        parts = form.place_amount(found, written if by_hand else form.ink)
        left, top = (min(p.box[i] for p in parts) for i in (0, 1))
        right, bottom = (max(p.box[i] + p.box[i + 2] for p in parts) for i in (0, 1))
        box = (left, top, right - left, bottom - top)
        image = _scanned(form.ink, written, form.shade, rng)
        return Check(image, text, parts, box, form.sign, layout.name, layout.kind, not by_hand)


class _Sheet:
    """The printed form."""

    def __init__(self, layout: Layout, rng: np.random.Generator) -> None:
        self.layout, self.rng = layout, rng
        self.family = layout.family
        self.wide, self.high = layout.size
        self.ink = np.zeros((self.high, self.wide), np.uint8)
        self.shade: Box | None = None
        self.sign: Box | None = None

    def text(self, text: str, x: float, y: float, *, larger: float = 1.0, dark: float = 0.7) -> Box:
        """Print a text on the form; places are shares of its size."""
        size = max(8, round(self.layout.pitch * larger))
        font = self.layout.font
        return draw_text(self.ink, text, font, size, x * self.wide, y * self.high, dark)

    def rule(self, x: float, y: float, end: float) -> None:
        """Print a line; places are shares of the size."""
        box = (x * self.wide, y * self.high, (end - x) * self.wide, int(self.rng.integers(1, 3)))
        draw_line(self.ink, box, self.rng.uniform(0.5, 0.85))

    def print_form(self) -> None:
        """Print the payer, the bank, and the captions of the fields."""
        rng, family = self.rng, self.family
        step = 1.35 * self.layout.pitch / self.high
        business = family.kind == "business"
        name = f"{rng.choice(NAMES)} {rng.choice(TRADES)} INC" if business else rng.choice(PEOPLE)
        address = f"{rng.integers(1, 9999)} {rng.choice(STREETS)}"
        town = f"{rng.choice(NAMES)} TOWN, NY {rng.integers(10000, 99999)}"
        phone = f"({rng.integers(200, 999)}) {rng.integers(200, 999)}-{rng.integers(1000, 9999)}"
        x, y = family.payer
        for i, line in enumerate([str(name), address, town, phone][: int(rng.integers(2, 5))]):
            self.text(line, x, y + i * step, larger=1.25 if i == 0 else 1.0)
        x, y = family.bank
        self.text(f"{rng.choice(NAMES)} BANK AND TRUST", x, y, larger=1.15)
        self.text(f"{rng.choice(STREETS)}, {rng.choice(NAMES)} CITY", x, y + step)
        x, y = family.payee
        end = min(0.97, family.amount[0] - 0.04) if abs(y - family.amount[1]) < 0.09 else 0.66
        title = str(rng.choice(["PAY TO THE ORDER OF", "PAY TO", "ORDER OF"]))
        self.text(title, max(0.01, x - 0.09), y - 0.02, larger=0.8)
        self.rule(x, y + 0.012, max(end, x + 0.2))
        x, y = family.words
        end = min(x + 0.66, 0.9)
        if abs(y - family.amount[1]) < 0.07 and x < family.amount[0]:
            end = min(end, family.amount[0] - 0.11)
        if rng.random() < 0.6:
            self.rule(x, y + 0.014, end)
            self.text("DOLLARS", end + 0.005, y + 0.01, larger=0.8)
        x, y = family.signature
        self.rule(x, y + 0.015, min(x + 0.36, 0.97))
        if rng.random() < 0.5:
            self.text("AUTHORIZED SIGNATURE", x + 0.05, y + 0.015 + step, larger=0.7)
        if family.memo is not None:
            self.text(str(rng.choice(["FOR", "MEMO"])), *family.memo, larger=0.9)
            self.rule(family.memo[0] + 0.05, family.memo[1] + 0.012, family.memo[0] + 0.36)

    def print_numbers(self) -> None:
        """Print fields of digits that are not the amount."""
        rng, family = self.rng, self.family
        number = str(rng.integers(101, 10 ** int(rng.integers(4, 8))))
        title = str(rng.choice(["", "No. ", "CHECK NO. "]))
        place = family.number
        size = rng.uniform(1.1, 1.7)
        font = str(rng.choice(["sans", "times bold", "mono"]))
        drawn = title + number
        ink, _ = text_ink(drawn, font, round(self.layout.pitch * size))
        x = min(place[0] * self.wide, self.wide - ink.shape[1] - 12)
        pitch = round(self.layout.pitch * size)
        draw_text(self.ink, drawn, font, pitch, x, place[1] * self.high)
        step = 1.5 * self.layout.pitch / self.high
        for name, x, y in family.numbers:
            digits = "".join(map(str, rng.integers(0, 10, int(rng.integers(4, 10)))))
            shown = digits if rng.random() < 0.5 else f"{digits[:3]}-{digits[3:]}"
            self.text(name, x, y - step, larger=0.8)
            font = self.layout.typed
            pixels = round(self.layout.pitch * 1.2)
            draw_text(self.ink, shown, font, pixels, x * self.wide, y * self.high, 0.85)
        if rng.random() < 0.35:
            limit = str(rng.choice(["500.00", "1,000.00", "5,000.00", "25,000.00"]))
            self.text(f"NOT VALID OVER ${limit}", 0.36, 0.885, larger=0.8)
        elif rng.random() < 0.3:
            self.text("VOID AFTER 90 DAYS", 0.40, 0.885, larger=0.8)
        routing = "".join(map(str, rng.integers(0, 10, 9)))
        account = "".join(map(str, rng.integers(0, 10, int(rng.integers(8, 12)))))
        parts = [f":{routing}:", f"{account}|", number.zfill(6)]
        if family.kind == "business":
            parts = [f"|{parts[2]}|", parts[0], parts[1]]
        line = "  ".join(parts)
        draw_text(self.ink, line, "mono bold", 20, 0.07 * self.wide, self.high - 14, 0.95)

    def place_amount(self, amount: AmountInk, sheet: np.ndarray) -> tuple[Part, ...]:
        """Put an amount in its place, print its frame and sign, and return its parts."""
        rng, layout = self.rng, self.layout
        x, y = self.family.amount[0] * self.wide, self.family.amount[1] * self.high
        high, wide = amount.ink.shape
        x = min(x, self.wide - wide - 16)
        if self.family.headed:
            title = str(rng.choice(["AMOUNT", "CHECK AMOUNT", "NET AMOUNT", "PAY THIS AMOUNT"]))
            at = min(x / self.wide, 0.86)
            self.text(title, at, (y - high - 14) / self.high, larger=0.8)
        y += rng.normal(0.0, 2.0)
        sign = 0.0
        own = any("$" in part.written for part in amount.parts)
        if layout.sign and not (own and rng.random() < 0.8):
            size = round(layout.pitch * rng.uniform(1.3, 2.0))
            ink, rise = text_ink("$", str(rng.choice(["sans", "times bold", "serif"])), size)
            sign = ink.shape[1] + rng.uniform(6, 14)
            self.sign = lay(self.ink, ink, round(x - sign), round(y) - rise, 0.8)
        top = y - amount.line
        if layout.frame in ("box", "shade"):
            left = x - rng.uniform(5, 12) - (sign if rng.random() < 0.3 else 0.0)
            room = max(wide + rng.uniform(14, 40), 0.14 * self.wide)
            room = min(room, self.wide - left - 3)
            first, last = top - rng.uniform(4, 10), top + high + rng.uniform(3, 9)
            if layout.frame == "shade":
                self.shade = (round(left), round(first), round(room), round(last - first))
            else:
                thick, dark = int(rng.integers(1, 3)), rng.uniform(0.5, 0.9)
                draw_line(self.ink, (left, first, room, thick), dark)
                draw_line(self.ink, (left, last, room, thick), dark)
                draw_line(self.ink, (left, first, thick, last - first), dark)
                draw_line(self.ink, (left + room - thick, first, thick, last - first + 1), dark)
        elif layout.frame == "line":
            draw_line(self.ink, (x - 6, y + rng.uniform(3, 8), wide + 16, 1), 0.7)
        left, first = round(x), round(top)
        lay(sheet, amount.ink, left, first, amount.darkness)
        return tuple(part.moved(left, first) for part in amount.parts)


class _Filling:
    """The entries of a form, written by hand or printed by a program."""

    def __init__(
        self, layout: Layout, writer: MnistFields, by_hand: bool, rng: np.random.Generator
    ) -> None:
        self.layout, self.writer, self.by_hand, self.rng = layout, writer, by_hand, rng
        self.family = layout.family
        self.wide, self.high = layout.size
        self.pixels = round(layout.pitch * rng.uniform(1.1, 1.4))

    def typed(self, sheet: np.ndarray, text: str, place: tuple[float, float]) -> None:
        """Print a text as a program does."""
        x, y = place[0] * self.wide, place[1] * self.high
        draw_text(sheet, text, self.layout.typed, self.pixels, x, y, 0.9)

    def numbers(self, sheet: np.ndarray, marks: str, x: float, y: float, scale: float) -> None:
        """Write digits and marks by hand, beginning at x, on the line y."""
        hand = Hand.of(self.rng, len(self.writer.images), tight=True)
        strip, _ = self.writer.write(list(marks), hand, self.rng)
        size = (round(strip.shape[1] * scale), round(strip.shape[0] * scale))
        image = Image.fromarray(np.clip(strip, 0, 255).astype(np.uint8)).resize(size)
        top = round(y - hand.base * scale)
        lay(sheet, np.asarray(image), round(x), top, hand.darkness)

    def date_and_payee(self, form: np.ndarray, written: np.ndarray) -> None:
        """Write the date, the payee, and perhaps the purpose."""
        rng, family = self.rng, self.family
        month, day, year = rng.integers(1, 13), rng.integers(1, 29), rng.integers(1990, 2026)
        x, y = family.date
        title = str(rng.choice(["DATE", ""]))
        if title:
            size = max(8, round(0.8 * self.layout.pitch))
            above = 22 if family.headed else 0
            at = x * self.wide - (0 if family.headed else 44)
            draw_text(form, title, self.layout.font, size, at, y * self.high - above, 0.7)
        if self.by_hand:
            draw_line(form, (x * self.wide, y * self.high + 4, 0.15 * self.wide, 1), 0.6)
            short, full = f"{month}/{day}/{year % 100:02d}", f"{month}-{day}-{year}"
            marks = short if rng.random() < 0.6 else full
            self.numbers(written, marks, x * self.wide, y * self.high, 0.55)
            word = cursive(rng.uniform(90, 260), rng.uniform(20, 28), rng)
            place = round(family.payee[0] * self.wide + 8)
            lay(written, word, place, round(family.payee[1] * self.high) - word.shape[0], 0.85)
            if family.memo is not None and rng.random() < 0.5:
                note = cursive(rng.uniform(60, 160), rng.uniform(16, 22), rng)
                at = round((family.memo[0] + 0.06) * self.wide)
                lay(written, note, at, round(family.memo[1] * self.high) - note.shape[0], 0.8)
            return
        shown = rng.choice(
            [
                f"{month:02d}/{day:02d}/{year}",
                f"{MONTHS[month - 1]} {day}, {year}",
                f"{year}-{month:02d}-{day:02d}",
                f"{day:02d}.{month:02d}.{year % 100:02d}",
            ]
        )
        self.typed(form, str(shown), family.date)
        self.typed(form, str(rng.choice(PEOPLE)), (family.payee[0] + 0.01, family.payee[1]))

    def words(self, text: str, form: np.ndarray, written: np.ndarray) -> None:
        """Write the amount in words, with the cents in digits."""
        rng = self.rng
        x, y = self.family.words
        whole, cents = text.split(".")
        if not self.by_hand:
            name = in_words(int(whole))
            self.typed(form, f"{name} AND {cents}/100 {'*' * int(rng.integers(0, 9))}", (x, y))
            return
        at = x * self.wide + 6
        for _ in range(int(rng.integers(2, 5))):
            word = cursive(rng.uniform(60, 120), rng.uniform(18, 26), rng)
            lay(written, word, round(at), round(y * self.high) - word.shape[0], 0.85)
            at += word.shape[1] + rng.uniform(8, 20)
        if at < 0.6 * self.wide:
            self.numbers(written, f"{cents}/100", at, y * self.high, 0.5)

    def sign(self, written: np.ndarray) -> None:
        """Sign the check."""
        rng = self.rng
        x, y = self.family.signature
        name = signature(rng.uniform(150, 300), rng.uniform(36, 64), rng)
        at = round((x + 0.02) * self.wide)
        lay(written, name, at, round(y * self.high) - round(0.85 * name.shape[0]), 0.85)


def _scanned(
    form: np.ndarray, written: np.ndarray, shade: Box | None, rng: np.random.Generator
) -> np.ndarray:
    """Return the picture of both inks on paper."""
    sheet = paper(form.shape, rng, np.float32)
    if shade is not None:
        x, y, wide, high = shade
        sheet[max(y, 0) : y + high, max(x, 0) : x + wide] -= rng.uniform(12.0, 35.0)
    ink = np.maximum(form, written).astype(np.float32) / 255.0
    ink = ndimage.gaussian_filter(ink, rng.uniform(0.35, 0.75))
    ink = np.clip(1.15 * ink, 0.0, 1.0)
    grain = rng.standard_normal(form.shape, dtype=np.float32) * rng.uniform(1.5, 5.0)
    picture = sheet * (1.0 - ink) + 20.0 * ink + grain
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

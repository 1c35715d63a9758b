"""Images from files, as grey-level arrays that the readers can trust.

Files from scanners and telephones all become the same kind of array: ``uint8 [H, W]``, upright,
0 black and 255 white. A file that cannot be read raises an error that names it.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MIN_SIDE = 4
"""Fewest pixels of either side; smaller images hold nothing to read."""

MAX_PIXELS = 50_000_000
"""Most pixels of a file, checked from its header before anything is decoded."""

MAX_SIDE = 4096
"""Most pixels of the longer side of the result; larger images are reduced to it."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits per grey level that scanners and cameras use."""

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm"}
)
"""Suffixes (lower case) of the files in a folder that count as images."""


class ImageError(ValueError):
    """A file that cannot be read as an image; the message begins with its path."""


def load_field(
    path: str | Path, *, max_pixels: int = MAX_PIXELS, max_side: int = MAX_SIDE
) -> np.ndarray:
    """Read an image file as grey levels, ``uint8 [H, W]``, 0 black, 255 white, upright.

    Colour, palette, 16-bit, float and 1-bit images are converted; transparent pixels are laid on
    white; the orientation of the EXIF header is applied; of several frames or pages the first is
    read. An image whose longer side exceeds ``max_side`` is reduced to it, keeping its aspect.

    Raises:
        ImageError: the file is missing, empty, truncated or not an image, it has a side under
            ``MIN_SIDE`` pixels, or more than ``max_pixels`` pixels (checked before decoding).

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name) / "field.png"
        >>> Image.new("RGB", (30, 20), "white").save(file)
        >>> load_field(file).shape
        (20, 30)
        >>> folder.cleanup()
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(f"{path}: no such file")
    if not path.is_file():
        raise ImageError(f"{path}: not a file")
    try:
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: the file is empty (0 bytes)")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # damaged EXIF headers: read without
            with Image.open(path) as image:
                check_size(path, image.size, max_pixels)
                image.load()
                upright = ImageOps.exif_transpose(image)
                grey = to_grey(upright)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not an image in a known format") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: more than {max_pixels} pixels") from error
    except PermissionError as error:
        raise ImageError(f"{path}: cannot be read: permission denied") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError) as error:
        # Pillow's decoders raise all of these on damaged files
        raise ImageError(f"{path}: damaged or truncated image ({error})") from error
    return reduce_to(grey, max_side)


def check_size(path: str | Path, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> None:
    """Raise ``ImageError`` if ``size`` (width, height in pixels) is too small or too large."""
    width, height = size
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{path}: {width} x {height} pixels is too small to hold characters; "
            f"at least {MIN_SIDE} x {MIN_SIDE} are needed"
        )
    if width * height > max_pixels:
        raise ImageError(
            f"{path}: {width} x {height} pixels is too large; at most {max_pixels} pixels are read"
        )


def to_grey(image: Image.Image) -> np.ndarray:
    """Convert any Pillow image to ``uint8 [H, W]``, transparent pixels laid on white.

    The depth of integers beyond 8 bits is the least of 8, 10, 12, 14 and 16 bits that holds the
    largest value: scanners write 12 bits into 16-bit files. Floats range over 0..1 or, if a value
    exceeds 1, over 0..255.

    Example:
        >>> to_grey(Image.new("RGBA", (5, 4), (0, 0, 0, 0)))[0, 0]
        np.uint8(255)
    """
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        top = float(values.max(initial=0.0))
        if image.mode == "F":
            scale = 255.0 if top <= 1.0 else 1.0
        else:
            full = min((2.0**bits - 1 for bits in DEPTHS if 2**bits > top), default=65535.0)
            scale = 255.0 / full
        return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, layer)
    return np.asarray(image.convert("L"), dtype=np.uint8).copy()


def reduce_to(grey: np.ndarray, max_side: int) -> np.ndarray:
    """Reduce ``uint8 [H, W]`` by area averaging until its longer side is at most ``max_side``.

    Example:
        >>> reduce_to(np.zeros((10, 40), np.uint8), 20).shape
        (5, 20)
    """
    height, width = grey.shape
    longer = max(height, width)
    if longer <= max_side:
        return grey
    size = (max(1, round(width * max_side / longer)), max(1, round(height * max_side / longer)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))

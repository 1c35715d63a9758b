"""MNIST: 28x28 grey-level digits in IDX files, plain or gzipped (paper section III-A).

An IDX file is a magic number (two zero bytes, a type, the number of dimensions), the size of each
dimension as a big-endian 32-bit number, and the bytes. Only unsigned bytes (type 8) occur here.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

BACKGROUND, FOREGROUND = -0.1, 1.175

_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
# MD5 of the decompressed original files; the gzip wrapping differs between mirrors.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
# A header may promise anything: never read more than this many bytes into memory.
_MOST_BYTES = 1 << 30
_KINDS = {1: "labels", 3: "images"}


class IdxError(ValueError):
    """An IDX file does not hold what it should; the message names the file and the position."""


def load_mnist(
    directory: str | Path, split: str = "train", *, verify: bool = False
) -> tuple[Tensor, Tensor]:
    """Return images uint8 [N, 28, 28] (0 paper, 255 ink) and labels uint8 [N] of a split.

    `split` is "train" (60,000) or "test" (10,000). The files have their usual names, with or
    without ".gz". `verify` also compares the MD5 of the decompressed content with the original's.

    Raises FileNotFoundError naming what was looked for, and IdxError for a wrong magic number,
    truncated or overlong files, swapped images and labels, images that are not 28x28, labels
    above 9, different numbers of images and labels, and no image at all.

    >>> images, labels = load_mnist("data/mnist", "test")  # doctest: +SKIP
    >>> images.shape  # doctest: +SKIP
    torch.Size([10000, 28, 28])
    """
    if split not in _NAMES:
        raise ValueError(f'split must be "train" or "test", not {split!r}')
    image_name, label_name = _NAMES[split]
    image_path, label_path = _find(directory, image_name), _find(directory, label_name)
    images = read_idx(image_path, 3, md5=MD5[image_name] if verify else None)
    labels = read_idx(label_path, 1, md5=MD5[label_name] if verify else None)
    if images.shape[1:] != (28, 28):
        raise IdxError(
            f"{image_path}: the header at byte 8 gives images of "
            f"{images.shape[1]}x{images.shape[2]}, 28x28 would be right"
        )
    wrong = np.flatnonzero(labels > 9)
    if len(wrong):
        raise IdxError(
            f"{label_path}: label {wrong[0]} (byte {8 + wrong[0]}) is {labels[wrong[0]]}, "
            "labels go from 0 to 9"
        )
    if len(images) != len(labels):
        raise IdxError(
            f"{image_path} has {len(images)} images, but {label_path} has {len(labels)} labels"
        )
    if not len(images):
        raise IdxError(f"{image_path}: the header at byte 4 gives 0 images")
    return torch.from_numpy(images), torch.from_numpy(labels)


def has_mnist(directory: str | Path, split: str = "train") -> bool:
    """Return whether a folder has both files of a split, "train" or "test", unread.

    >>> has_mnist("no such folder")
    False
    """
    try:
        for name in _NAMES[split]:
            _find(directory, name)
    except FileNotFoundError:
        return False
    return True


def to_input(images: Tensor | np.ndarray) -> Tensor:
    """Return network input, float32 [N, 1, H+4, W+4], of images uint8 [N, H, W]: 32x32 of 28x28.

    Paper (0) becomes -0.1 and ink (255) 1.175 (Appendix A), with 2 pixels of paper around.

    >>> x = to_input(torch.full((1, 28, 28), 255, dtype=torch.uint8))
    >>> x.shape, round(float(x[0, 0, 0, 0]), 4), round(float(x[0, 0, 2, 2]), 4)
    (torch.Size([1, 1, 32, 32]), -0.1, 1.175)
    """
    images = torch.as_tensor(images)
    if images.dtype != torch.uint8 or images.dim() != 3:
        raise ValueError(
            f"images must be uint8 [N, H, W], not {images.dtype} {tuple(images.shape)}"
        )
    count, height, width = images.shape
    padded = torch.full((count, 1, height + 4, width + 4), BACKGROUND)
    padded[:, 0, 2:-2, 2:-2] = images.float() * ((FOREGROUND - BACKGROUND) / 255.0) + BACKGROUND
    return padded


def read_idx(path: str | Path, dimensions: int, *, md5: str | None = None) -> np.ndarray:
    """Return the uint8 array of an IDX file with this many dimensions, gzipped or not.

    Sizes are checked before memory is allocated. Raises IdxError, naming the file and the byte.
    """
    path = Path(path)
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            header, shape, content = _read_checked(path, file, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IdxError(f"{path}: the gzip data are truncated or damaged ({error})") from error
    if md5 is not None:
        digest = hashlib.md5(header, usedforsecurity=False)
        digest.update(content)
        if digest.hexdigest() != md5:
            raise IdxError(
                f"{path}: the MD5 of the decompressed content is {digest.hexdigest()}, "
                f"the original's is {md5}"
            )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _read_checked(
    path: Path, file: BinaryIO | gzip.GzipFile, dimensions: int
) -> tuple[bytes, tuple[int, ...], bytearray]:
    magic = file.read(4)
    if len(magic) < 4:
        raise IdxError(f"{path}: truncated at byte {len(magic)}, the magic number takes 4 bytes")
    if magic != bytes((0, 0, 8, dimensions)):
        expected = f"00 00 08 {dimensions:02x} ({_KINDS.get(dimensions, f'{dimensions}-d')})"
        found = magic.hex(" ")
        if magic[:3] == b"\x00\x00\x08" and magic[3] in _KINDS:
            raise IdxError(
                f"{path}: magic number {found} at byte 0: the file holds {_KINDS[magic[3]]}, "
                f"{expected} would be right; are images and labels swapped?"
            )
        raise IdxError(f"{path}: magic number {found} at byte 0, {expected} would be right")
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise IdxError(
            f"{path}: truncated at byte {4 + len(sizes)}, the header takes {4 + 4 * dimensions}"
        )
    shape = tuple(int(n) for n in np.frombuffer(sizes, dtype=">u4"))
    total = math.prod(shape)
    promised = "x".join(map(str, shape)) + f" = {total:,} bytes"
    if total > _MOST_BYTES:
        raise IdxError(f"{path}: the header at byte 4 promises {promised}, too many to be right")
    start = 4 + 4 * dimensions
    content = bytearray()
    while len(content) <= total:
        # In pieces, so that memory grows with the actual content, not with what is promised.
        piece = file.read(min(1 << 24, total + 1 - len(content)))
        if not piece:
            break
        content += piece
    if len(content) < total:
        raise IdxError(
            f"{path}: truncated at byte {start + len(content)}, the header promises {promised} "
            f"from byte {start} on"
        )
    if len(content) > total:
        raise IdxError(
            f"{path}: bytes follow at {start + total}, where the {promised} of the header end"
        )
    return magic + sizes, shape, content


def _find(directory: str | Path, name: str) -> Path:
    directory = Path(directory)
    dotted = name.replace("-idx", ".idx")
    candidates = [directory / f"{n}{end}" for n in (name, dotted) for end in ("", ".gz")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"{directory} has no {name}, neither plain nor .gz")

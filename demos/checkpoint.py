"""Checkpoints: tensors and what built them in one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from gtn import whole_files

__all__ = [
    "CheckpointError",
    "load_checkpoint",
    "save_checkpoint",
    "tensors_hash",
    "write_whole",
]

FORMAT = "graph-transformer-networks/checks/2"


class CheckpointError(ValueError):
    """A file that is no checkpoint of this program; the message begins with its path."""


def save_checkpoint(
    path: str | Path, tensors: dict[str, torch.Tensor], about: dict[str, Any], *, kind: str = FORMAT
) -> None:
    """Write tensors, and ``about`` as JSON beside them, as a file of one ``kind``."""
    metadata = {"format": kind, "about": json.dumps(about)}
    write_whole(path, _content(tensors, metadata))


def tensors_hash(tensors: dict[str, torch.Tensor]) -> str:
    """Return the SHA-256 of named tensors, the first 16 hexadecimal digits of it."""
    return hashlib.sha256(_content(tensors)).hexdigest()[:16]


def _content(tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    return save({k: t.detach().contiguous() for k, t in tensors.items()}, metadata)


def load_checkpoint(
    path: str | Path, *, kind: str = FORMAT
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return what :func:`save_checkpoint` wrote.

    Raises:
        CheckpointError: the file is missing, truncated, or was not written by this program.
    """
    path = Path(path)
    if not path.is_file():
        what = "a folder, not a file" if path.is_dir() else "no such file"
        raise CheckpointError(f"{path}: {what}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not a whole safetensors file ({error}); it may be truncated"
        ) from error
    if metadata.get("format") != kind:
        raise CheckpointError(
            f"{path}: format {metadata.get('format')!r}; this program reads {kind!r}"
        )
    return tensors, json.loads(metadata["about"])


def write_whole(path: str | Path, content: bytes | str, errors: str = "strict") -> None:
    """Write a file so that it is either the old one or the new one, never a part.

    ``errors``, as of ``str.encode``, is "replace" for pages, which may show the name of a file
    that is no UTF-8.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode(errors=errors) if isinstance(content, str) else content
    whole_files.write_whole(path, data)

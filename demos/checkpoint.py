"""Checkpoints: tensors and settings in one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

import recognizers
from gtn import whole_files

__all__ = [
    "WEIGHTS",
    "CheckpointError",
    "load_checkpoint",
    "restored",
    "save_checkpoint",
    "tensors_hash",
    "write_whole",
]

M = TypeVar("M", bound=nn.Module)

FORMAT = "graph-transformer-networks/checks/2"

WEIGHTS = Path(recognizers.__file__).parent / "weights"
"""The folder of the shipped checkpoints."""


class CheckpointError(ValueError):
    """A file that is not a checkpoint of this program; the message begins with its path."""


def save_checkpoint(
    path: str | Path, tensors: dict[str, torch.Tensor], about: dict[str, Any], *, kind: str = FORMAT
) -> None:
    """Write tensors, and ``about`` as JSON beside them, as a file of one ``kind``."""
    metadata = {"format": kind, "about": json.dumps(about)}
    write_whole(path, _content(tensors, metadata))


def tensors_hash(tensors: dict[str, torch.Tensor]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of named tensors."""
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


def restored(build: Callable[[], M], tensors: dict[str, torch.Tensor], path: str | Path) -> M:
    """Return a module in evaluation mode with the tensors of the checkpoint at ``path``.

    ``build`` makes the untrained module from the settings of the checkpoint.

    Raises:
        CheckpointError: settings are missing or unknown to the module; or tensors are missing,
            unknown or of another shape (the message names them).
    """
    try:
        module = build()
        module.load_state_dict(tensors)
    except KeyError as error:
        raise CheckpointError(f"{path}: of another architecture: no {error}") from error
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        what = shorten(str(error), 400)
        raise CheckpointError(f"{path}: of another architecture: {what}") from error
    return module.eval()


def write_whole(path: str | Path, content: bytes | str, errors: str = "strict") -> None:
    """Write a file so that it is always either the old or the new one, never a part.

    ``errors``, as in ``str.encode``, is "replace" for pages, which may show file names that are
    not UTF-8.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode(errors=errors) if isinstance(content, str) else content
    whole_files.write_whole(path, data)

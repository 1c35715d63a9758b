"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the new one, never a part.

    It gets the permissions of any new file. A link stays, and the file it points to is written.
    What is not a file, such as ``/dev/null`` or a pipe, is written to, not replaced.

    Raises:
        OSError: the file, which it names, cannot be written; the old file, if any, is unchanged.

    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "file"
    >>> write_whole(path, b"content")
    >>> path.read_bytes(), len(os.listdir(folder.name))
    (b'content', 1)
    >>> folder.cleanup()
    """
    try:
        if _is_special(path):
            path.write_bytes(content)
            return
        target = Path(os.path.realpath(path))
        if target.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:50]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:  # it names the temporary file or, on a full disk, none
        if error.errno is None:  # raised by a message, not by the system
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from None


def _is_special(path: Path) -> bool:
    """Return whether the path is a device or a pipe, which no file should replace."""
    return path.exists() and not (path.is_file() or path.is_dir())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Locks on files and folders for one process while it writes there; freed when it ends."""

from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path

if os.name == "posix":
    import fcntl

__all__ = ["FolderLock", "is_ours"]

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF)
"""Errors from disks without locks, such as network disks, or without locks on folders."""


def is_ours(handle: int) -> bool:
    """Lock an open file against other processes; return False if another one holds it.

    The lock lasts as long as the file is open. If system or disk has no locks, return True.
    """
    if os.name == "posix":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
    return True


class FolderLock:
    """A lock on a folder against other processes, held until nothing refers to it.

    Make one with :meth:`of`. The process itself may lock the folder again; a process that is killed
    leaves no lock.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = FolderLock.of(Path(folder))
    ...     FolderLock.of(Path(folder)) is lock, os.listdir(folder)
    (True, [])
    """

    def __init__(self, handle: int) -> None:
        weakref.finalize(self, os.close, handle)

    @classmethod
    def of(cls, folder: Path) -> FolderLock | None:
        """Lock an existing folder; return ``None`` on systems that have no such locks.

        Raises:
            BlockingIOError: another process holds it.
        """
        if os.name != "posix":
            return None
        about = folder.stat()
        key = about.st_dev, about.st_ino
        lock = _HELD.get(key)
        if lock is None:
            handle = os.open(folder, os.O_RDONLY)
            lock = cls(handle)
            if not is_ours(handle):
                raise BlockingIOError(errno.EWOULDBLOCK, "another process has it", str(folder))
            _HELD[key] = lock
        return lock


_HELD: weakref.WeakValueDictionary[tuple[int, int], FolderLock] = weakref.WeakValueDictionary()

"""Files and folders that one process has for itself while it writes there; freed when it ends."""

from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path

if os.name == "posix":
    import fcntl

__all__ = ["FolderLock", "is_ours"]

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF)
"""What disks answer that have no locks, as those of networks, or none of folders."""


def is_ours(handle: int) -> bool:
    """Keep other processes from an open file, and return whether none has it.

    As long as it is open, that is, and where system and disk have locks: elsewhere it is ours.
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
    """An open folder that other processes are kept from, until nothing refers to the lock.

    :meth:`of` locks. The own process may lock a folder again; one that is killed leaves no lock.

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
        """Lock a folder that is there; ``None`` on systems that have no such locks.

        Raises:
            BlockingIOError: another process has it.
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

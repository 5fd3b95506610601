"""On what kind of file system a folder lies: whether several hosts may see it, and share locks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")
# Names of the kernel, or of the modules that vendors bring.
_NETWORK = frozenset(
    """
    nfs nfs4 lustre gpfs cifs smb3 smbfs smb2 fuse ceph glusterfs beegfs panfs pvfs2 orangefs afs
    ocfs2 gfs2 wekafs quobyte
    """.split()
)
# Options of a mount with which a lock is known to this host alone, by the file system's name.
_LOCAL_LOCKS: Mapping[str, tuple[str, ...]] = {
    "nfs": ("nolock", "local_lock=all", "local_lock=posix"),
    "nfs4": ("local_lock=all", "local_lock=posix"),
    "cifs": ("nobrl",),
    "smb3": ("nobrl",),
    "lustre": ("noflock", "localflock"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a folder lies: the file system's `kind` as the kernel calls it, and its `options`."""

    kind: str = ""
    options: frozenset[str] = frozenset()

    @property
    def shared(self) -> bool:
        """Whether other hosts may have the same files open."""
        return self.kind.partition(".")[0] in _NETWORK

    @property
    def locks(self) -> bool:
        """Whether a lock that one host takes is respected by all.

        FUSE passes locks on only when its program asks for that, and mounts do not tell. Lustre
        tells that it does by the option `flock`.
        """
        family = self.kind.partition(".")[0]
        if family == "fuse" or (family == "lustre" and "flock" not in self.options):
            return False
        return not self.options & {*_LOCAL_LOCKS.get(self.kind, ())}


def place_of(folder: Path, mounts: Path = MOUNTS) -> Place:
    """Return where a folder lies, by the table of mounts (`man 5 proc_pid_mountinfo`).

    Where there is no such table, a place of which nothing is known.
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return Place()
    real = folder.resolve()
    found, depth = Place(), -1
    for line in lines:
        before, separated, after = line.partition(" - ")
        fields, more = before.split(" "), after.split(" ")
        if not separated or len(fields) < 6:
            continue
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        # What was mounted later lies on top of what was mounted at the same place before.
        if real.is_relative_to(point) and len(point.parts) >= depth:
            options = f"{fields[5]},{more[-1]}".split(",")
            found, depth = Place(more[0], frozenset(options)), len(point.parts)
    return found

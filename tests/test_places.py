"""The store on file systems that several hosts share, told by tables of mounts made for it."""

import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from rearank_cli.engines.places import Place, place_of
from rearank_cli.engines.store import Store
from rearank_cli.errors import RearankError
from rearank_cli.records import Completion

ANSWER = Completion("text", "thoughts", "length", 12, 34)
SHARED = ["nfs", "nfs4", "gpfs", "cifs", "smb3", "ceph"]


def table(path: Path, *mounts: tuple[str, str, str]) -> Path:
    """Write a table of mounts: a point, a file system and its options each."""
    path.write_text(
        "22 1 0:2 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        + "".join(
            f"{number} 22 0:{number} /x {point} rw,noatime master:3 - {kind} host:/x {options}\n"
            for number, (point, kind, options) in enumerate(mounts, 30)
        )
    )
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "a disk").mkdir()
    return tmp_path / "a disk"


def mounted(disk: Path, kind: str, options: str = "rw") -> Path:
    point = str(disk).replace(" ", "\\040")
    return table(disk.parent / "mounts", (point, kind, options))


def journal(path: Path) -> str:
    """Return the journal mode in a database's header, which outlives its processes."""
    return {1: "rollback", 2: "WAL"}[path.read_bytes()[19]]


@pytest.mark.parametrize("kind", SHARED)
def test_a_store_on_a_network_file_system_is_not_in_wal(disk: Path, kind: str) -> None:
    store = Store(disk / "s", mounted(disk, kind))
    store.put(b"key", "m", ANSWER)
    assert journal(disk / "s") == "rollback"
    assert [path.name for path in disk.iterdir()] == ["s"]
    assert store._database.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    store.close()
    assert Store(disk / "s", mounted(disk, kind)).get(b"key") == replace(ANSWER, cached=True)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "zfs", "fuseblk"])
def test_a_store_on_a_disk_is_in_wal(disk: Path, kind: str) -> None:
    Store(disk / "s", mounted(disk, kind)).close()
    assert journal(disk / "s") == "WAL"


def test_a_store_that_was_in_wal_leaves_it_with_its_answers(disk: Path) -> None:
    old = Store(disk / "s")
    old.put(b"key", "m", ANSWER)
    old.close()
    assert journal(disk / "s") == "WAL"
    store = Store(disk / "s", mounted(disk, "nfs4"))
    assert store.get(b"key") == replace(ANSWER, cached=True)
    assert journal(disk / "s") == "rollback"
    other = Store(disk / "s", mounted(disk, "nfs4"))  # and no lock has stayed
    other.put(b"other", "m", ANSWER)
    assert store.info().models == {"m": 2}


def test_a_store_in_use_in_wal_is_left_alone(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rearank_cli.engines.store.PATIENCE", 0.1)
    local = Store(disk / "s")
    local.put(b"key", "m", ANSWER)
    with pytest.raises(RearankError) as caught:
        Store(disk / "s", mounted(disk, "nfs"))
    assert "another command is using it" in caught.value.hint
    assert local.get(b"key") == replace(ANSWER, cached=True)


@pytest.mark.parametrize(
    "kind, options",
    [
        ("nfs", "rw,vers=3,nolock"),
        ("nfs", "rw,local_lock=posix"),
        ("nfs4", "rw,local_lock=all"),
        ("cifs", "rw,nobrl"),
        ("lustre", "rw,noflock"),
        ("lustre", "rw,localflock"),
        ("lustre", "rw"),
        ("fuse.sshfs", "rw,user_id=0"),
        ("fuse", "rw"),
    ],
)
def test_where_locks_stay_on_one_host_the_store_is_refused(
    disk: Path, kind: str, options: str
) -> None:
    with pytest.raises(RearankError) as caught:
        Store(disk / "s", mounted(disk, kind, options))
    assert f"{disk / 's'}: the cache cannot be opened" in caught.value.message
    assert kind in caught.value.message
    assert "REARANK_CACHE_DIR" in caught.value.hint
    assert "`cache=False`" in caught.value.hint
    assert not (disk / "s").exists()


def test_the_innermost_and_latest_mount_counts(tmp_path: Path) -> None:
    mounts = table(
        tmp_path / "mounts",
        ("/data", "nfs4", "rw,local_lock=none"),
        ("/data/local", "xfs", "rw"),
        ("/data", "lustre", "rw,flock"),
        ("/database", "gpfs", "rw"),
    )
    lustre = Place("lustre", frozenset(("rw", "noatime", "flock")))
    assert place_of(Path("/data/x"), mounts) == lustre
    assert (lustre.shared, lustre.locks) == (True, True)
    assert place_of(Path("/data/local/x"), mounts).kind == "xfs"
    assert place_of(Path("/datab"), mounts).kind == "ext4"
    assert place_of(Path("/data"), tmp_path / "none") == Place()


def fill(path: Path, mounts: Path, worker: int) -> None:
    store = Store(path, mounts)
    for number in range(40):
        store.put(f"{worker}-{number}".encode(), f"m{worker}", ANSWER)
        store.put(f"shared-{number}".encode(), "shared", ANSWER)
    store.close()


def test_commands_share_a_store_without_wal_without_harm(disk: Path) -> None:
    mounts = mounted(disk, "nfs4", "rw,local_lock=none")
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=fill, args=(disk / "s", mounts, n)) for n in range(3)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    assert [process.exitcode for process in workers] == [0, 0, 0]
    assert Store(disk / "s", mounts).info().models == {"m0": 40, "m1": 40, "m2": 40, "shared": 40}
    check = sqlite3.connect(disk / "s").execute("PRAGMA integrity_check").fetchone()[0]
    assert check == "ok"

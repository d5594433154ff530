"""Files of a hub repository into a folder, several at once, each going on where an earlier run stopped.

huggingface_hub's own `snapshot_download` starts a cut file anew in the next process (its pull request 4228); for weights of many gigabytes
the part that is there is kept here. Its `http_get` does the transfer: redirects, retries, Range.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from models.errors import WeightsError
from models.manifest import Progress, sha256

PARTS = ".parts"
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of a repository; `sha256` is empty where the hub does not keep it by content."""

    path: str
    url: str
    size: int
    sha256: str


def failed(what: str, error: Exception, then: str = "run it again") -> WeightsError:
    """Why a download did not come to its end."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WeightsError(f"{what} could not be written ({error.strerror}): make room on the disk of FIRESIDE_HOME and {then}")
    return WeightsError(f"{what} could not be fetched ({type(error).__name__}: {error}): check the network and {then}")


class Stopped(Exception):
    """Ends the transfer of one file because another has failed or the user has stopped it."""


@dataclass
class Tally:
    """Bytes of all files together."""

    total: int
    progress: Progress
    done: int = 0
    lock: Lock = field(default_factory=Lock)
    stopped: Event = field(default_factory=Event)

    def add(self, number: int) -> None:
        if self.stopped.is_set():
            raise Stopped
        with self.lock:
            self.done += number
            self.progress("downloading", self.done, self.total)

    def bar(self, **options: Any) -> Bar:
        """What http_get takes for a progress bar."""
        self.add(int(options.get("initial") or 0))
        return Bar(self.add)


@dataclass
class Bar:
    add: Callable[[int], None]

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was drawn."""

    def update(self, number: float | None = 1) -> None:
        self.add(int(number or 0))


def fetch(files: list[Remote], folder: Path, headers: dict[str, str], progress: Progress) -> None:
    """Raises WeightsError for a file that arrives otherwise than announced; what the transfer raises goes through."""
    tally = Tally(sum(file.size for file in files), progress)
    (folder / PARTS).mkdir(exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for job in [pool.submit(_fetch_one, file, folder, headers, tally) for file in files]:
                job.result()
        except BaseException:  # Ctrl-C too: the others must not run on for gigabytes
            tally.stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    shutil.rmtree(folder / PARTS)


def _fetch_one(file: Remote, folder: Path, headers: dict[str, str], tally: Tally) -> None:
    target = folder / file.path
    if target.is_file():  # whole: only checked files get their name
        tally.add(file.size)
        return
    part = folder / PARTS / hashlib.sha256(file.path.encode()).hexdigest()
    _transfer(file, part, headers, tally)
    _check(file, part)
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def _transfer(file: Remote, part: Path, headers: dict[str, str], tally: Tally) -> None:
    from huggingface_hub.file_download import http_get

    with part.open("ab") as writer:
        if writer.tell() > file.size:
            writer.truncate(0)
        if writer.tell() == file.size:
            tally.add(file.size)
        http_get(file.url, writer, resume_size=writer.tell(), headers=dict(headers), expected_size=file.size, tqdm_class=tally.bar)


def _check(file: Remote, part: Path) -> None:
    if part.stat().st_size == file.size and (not file.sha256 or sha256(part) == file.sha256):
        return
    part.unlink()
    raise WeightsError(f"{file.path} arrived with another content than the hub announced: run the same command again, it is fetched anew")

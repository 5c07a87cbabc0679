"""When the images of a subject are downloaded, and when they are dropped."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.errors import InputError, TransferError
from twolevel.fetch.disk import check_space, free_bytes
from twolevel.fetch.needed import to_download
from twolevel.fetch.transfer import drop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Images:
    """The images of all subjects.

    Attributes
    ----------
    of : dict of str to list of Path
        By subject.
    keys : dict of Path to str
        git-annex's keys of those that it keeps.
    """

    of: Mapping[str, Sequence[Path]]
    keys: Mapping[Path, str]


class Downloads:
    """Lets one subject at a time be downloaded, as long as there is room for it.

    Without `drop` everything is downloaded as fast as it comes. With it, no more subjects hold
    images at a time than `held_at_once`, and one that does not fit waits until another is dropped.

    Parameters
    ----------
    drop : bool
        Images are dropped when their subject is done.
    """

    def __init__(self, images: Images, *, drop: bool, held_at_once: int) -> None:
        self.images = images
        self.drops = drop
        self.held_at_once = held_at_once
        self.pending = dict.fromkeys(images.of)
        self._held: set[str] = set()
        # git-annex runs several downloads in one process; not several processes in a repository.
        self._one = asyncio.Semaphore(1)
        self._released = asyncio.Event()
        self._counting = threading.Lock()  # subjects end in threads of their own

    def check(self, subjects: Iterable[str]) -> None:
        """Refuse downloads that cannot fit on the disk, for the subjects that are not finished."""
        images = [self.images.of[subject] for subject in subjects]
        if not images:
            return
        place = images[0][0].parent
        if self.drops:
            largest = max(sum(to_download(paths).values()) for paths in images)
            check_space(place, largest, "make room: the images of one subject must fit")
        else:
            total = sum(to_download(path for paths in images for path in paths).values())
            check_space(
                place, total, "make room, or give --drop: images are dropped subject by subject"
            )

    @asynccontextmanager
    async def slot(self, subject: str) -> AsyncIterator[None]:
        """Wait for the turn of a subject.

        Raises
        ------
        TransferError
            There is no room, and nothing is going to be dropped.
        """
        async with self._one:
            while self.drops and not self._has_room(subject):
                self._released.clear()
                await self._released.wait()
            self._held.add(subject)
            yield

    def _has_room(self, subject: str) -> bool:
        images = self.images.of[subject]
        needed = sum(to_download(images).values())
        if not needed:
            return True
        if not self._held:  # nothing is going to be dropped
            try:
                check_space(images[0].parent, needed, "make room")
            except InputError as error:
                raise TransferError(str(error)) from error
            return True
        return len(self._held) < self.held_at_once and needed <= free_bytes(images[0].parent)

    def release(self, subject: str) -> None:
        """Take note that a subject is done, or has failed."""
        self._held.discard(subject)
        self._released.set()

    def drop(self, subject: str) -> dict[Path, str]:
        """Drop the images of a subject that is done, but for content that others still need.

        Those that were kept are returned, and why.
        """
        with self._counting:
            self.pending.pop(subject, None)
            pending = list(self.pending)
        if not self.drops:
            return {}
        needed = {self.images.keys.get(p) for other in pending for p in self.images.of[other]}
        own = [p for p in self.images.of[subject] if p in self.images.keys]
        kept = drop([p for p in own if self.images.keys[p] not in needed])
        plain = [p for p in self.images.of[subject] if p not in self.images.keys]
        return {
            **kept,
            **dict.fromkeys(plain, "not kept by git-annex, so that nothing can get it again"),
        }

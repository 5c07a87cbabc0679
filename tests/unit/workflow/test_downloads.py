from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import annexed
import pytest

from twolevel.errors import TransferError
from twolevel.fetch.transfer import keys_of
from twolevel.workflow.downloads import Downloads, Images

SUBJECTS = ("03", "01", "02")
NEVER = "1000000 TB"  # no disk has that much, so that nothing fits on it

pytestmark = pytest.mark.usefixtures("newcomer")


@pytest.fixture
def keep_free(newcomer: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say how much of the disk git-annex keeps free."""

    def keep_free(text: str) -> None:
        newcomer.setenv("GIT_CONFIG_COUNT", "1")
        newcomer.setenv("GIT_CONFIG_KEY_0", "annex.diskreserve")
        newcomer.setenv("GIT_CONFIG_VALUE_0", text)

    return keep_free


@pytest.fixture
def images(keep_free: Callable[[str], None], tmp_path: Path) -> Images:
    """An image of 5 bytes for each subject, which is not here; there is room for them."""
    keep_free("0")
    of = {}
    for subject in SUBJECTS:
        key = f"MD5E-s5--{subject}.nii.gz"
        path = tmp_path / f"sub-{subject}_bold.nii.gz"
        path.symlink_to(f".git/annex/objects/aB/cD/{key}/{key}")
        of[subject] = [path]
    return Images(of, {path: path.readlink().name for (path,) in of.values()})


class Turns:
    """Asks for the turns of subjects and notes, in order, who was given one and who gave it up."""

    def __init__(self, downloads: Downloads) -> None:
        self.downloads = downloads
        self.noted: list[str] = []
        self.may_end = {subject: asyncio.Event() for subject in downloads.images.of}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *subjects: str) -> None:
        for subject in subjects:
            self.tasks[subject] = asyncio.create_task(self.take(subject))
        await settled()

    async def take(self, subject: str) -> None:
        async with self.downloads.slot(subject):
            self.noted.append(f"{subject} begins")
            await self.may_end[subject].wait()
            self.noted.append(f"{subject} ends")

    async def end(self, *subjects: str) -> None:
        for subject in subjects:
            self.may_end[subject].set()
            await settled()

    async def release(self, subject: str) -> None:
        self.downloads.release(subject)
        await settled()


async def settled() -> None:
    """Let every task go on until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)


def follow(
    images: Images,
    story: Callable[[Turns], Coroutine[Any, Any, None]],
    *,
    drop: bool,
    held_at_once: int = 1,
) -> list[str]:
    """Tell a story of turns, let nobody wait after its end, and return what was noted."""

    async def run() -> list[str]:
        turns = Turns(Downloads(images, drop=drop, held_at_once=held_at_once))
        try:
            async with asyncio.timeout(10):
                await story(turns)
            return turns.noted
        finally:
            for task in turns.tasks.values():
                task.cancel()
            await asyncio.gather(*turns.tasks.values(), return_exceptions=True)

    return asyncio.run(run())


@pytest.mark.parametrize("drop", [False, True])
def test_one_subject_at_a_time_is_downloaded_in_the_order_of_asking(images, drop):
    async def story(turns: Turns) -> None:
        await turns.ask("03", "01", "02")
        assert turns.noted == ["03 begins"]
        await turns.end("01")  # cannot end before it began
        assert turns.noted == ["03 begins"]
        await turns.end("03", "02")

    assert follow(images, story, drop=drop, held_at_once=3) == [
        "03 begins",
        "03 ends",
        "01 begins",
        "01 ends",
        "02 begins",
        "02 ends",
    ]


def test_without_dropping_nobody_waits_for_room(images, keep_free):
    keep_free(NEVER)

    async def story(turns: Turns) -> None:
        await turns.ask("03", "01")
        await turns.end("03")

    assert follow(images, story, drop=False) == ["03 begins", "03 ends", "01 begins"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_subjects_are_held_than_may_be(images, at_once):
    async def story(turns: Turns) -> None:
        await turns.ask(*SUBJECTS)
        await turns.end(*SUBJECTS)
        held = len(turns.noted) // 2
        assert held == at_once
        await turns.release(SUBJECTS[0])
        assert len(turns.noted) // 2 == at_once + 1

    noted = follow(images, story, drop=True, held_at_once=at_once)
    assert noted[::2] == [f"{subject} begins" for subject in SUBJECTS[: at_once + 1]]


def test_who_does_not_fit_waits_until_there_is_room(images, keep_free):
    async def story(turns: Turns) -> None:
        await turns.ask("03")
        await turns.end("03")
        keep_free(NEVER)
        await turns.ask("01", "02")
        assert turns.noted == ["03 begins", "03 ends"]
        keep_free("0")
        await turns.release("03")
        assert turns.noted[2:] == ["01 begins"]

    follow(images, story, drop=True, held_at_once=3)


def test_who_waits_for_room_looks_again_each_time_a_subject_is_released(images, keep_free):
    async def story(turns: Turns) -> None:
        await turns.ask("03", "01")
        await turns.end("03", "01")
        keep_free(NEVER)
        await turns.ask("02")
        await turns.release("03")
        assert len(turns.noted) == 4
        keep_free("0")
        await turns.release("01")
        assert turns.noted[4:] == ["02 begins"]

    follow(images, story, drop=True, held_at_once=3)


def test_whose_images_are_here_needs_no_room(images, keep_free):
    keep_free(NEVER)
    (path,) = images.of["03"]
    path.unlink()
    path.write_bytes(b"image")

    async def story(turns: Turns) -> None:
        await turns.ask("03")

    assert follow(images, story, drop=True, held_at_once=1) == ["03 begins"]


def refusal(folder: Path) -> str:
    return (
        f"disk of {folder}\n"
        "  found:    0 B free, after what git-annex keeps free (annex.diskreserve)\n"
        "  expected: 5 B for what is to be downloaded\n"
        "  do:       make room"
    )


def test_who_does_not_fit_where_nothing_is_held_fails(images, keep_free, tmp_path):
    keep_free(NEVER)

    async def story(turns: Turns) -> None:
        await turns.ask("03")
        with pytest.raises(TransferError) as caught:
            await turns.tasks["03"]
        assert str(caught.value) == refusal(tmp_path)
        keep_free("0")
        await turns.ask("01")  # a failure does not keep the turn

    assert follow(images, story, drop=True) == ["01 begins"]


def test_who_waits_fails_when_the_last_is_released_and_there_is_still_no_room(
    images, keep_free, tmp_path
):
    async def story(turns: Turns) -> None:
        await turns.ask("03")
        await turns.end("03")
        keep_free(NEVER)
        await turns.ask("01")
        assert not turns.tasks["01"].done()
        await turns.release("03")
        with pytest.raises(TransferError) as caught:
            await turns.tasks["01"]
        assert str(caught.value) == refusal(tmp_path)

    assert follow(images, story, drop=True) == ["03 begins", "03 ends"]


def test_a_download_that_fails_gives_its_turn_to_the_next(images):
    downloads = Downloads(images, drop=True, held_at_once=1)

    async def run() -> None:
        with pytest.raises(ValueError, match="no network"):
            async with downloads.slot("03"):
                raise ValueError("no network")
        downloads.release("03")
        async with asyncio.timeout(5), downloads.slot("01"):
            pass

    asyncio.run(run())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the content of an image of one subject and of one that two have."""
    folder = tmp_path_factory.mktemp("annexed")
    plain = folder / "plain"
    plain.mkdir()
    for name, text in (("01_own", b"first"), ("01_same", b"same"), ("02_same", b"same")):
        (plain / f"sub-{name}.nii.gz").write_bytes(text)
    (plain / "sub-02_in-git.nii").write_bytes(b"not kept by git-annex")
    annexed.make_dataset(plain, folder / "raw.git", annexed.RAW_ATTRIBUTES)
    annexed.git(folder, "clone", "--quiet", "raw.git", "clone")
    annexed.git(folder / "clone", "annex", "get", "--quiet", ".")
    return folder / "clone"


@pytest.fixture
def clone(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "clone", symlinks=True)


def test_images_are_dropped_with_the_last_subject_that_needs_them(clone):
    own, first = clone / "sub-01_own.nii.gz", clone / "sub-01_same.nii.gz"
    second, in_git = clone / "sub-02_same.nii.gz", clone / "sub-02_in-git.nii"
    images = {"01": [own, first], "02": [second, in_git]}
    keys = keys_of([own, first, second, in_git])
    downloads = Downloads(Images(images, keys), drop=True, held_at_once=1)
    assert downloads.drop("01") == {}
    assert [path.exists() for path in (own, first, second)] == [False, True, True]
    assert downloads.drop("02") == {
        in_git: "not kept by git-annex, so that nothing can get it again"
    }
    assert [path.exists() for path in (own, first, second)] == [False, False, False]
    assert in_git.read_bytes() == b"not kept by git-annex"


def test_images_of_which_there_is_no_other_copy_are_kept_with_the_reason(clone):
    annexed.git(clone, "remote", "remove", "origin")
    path = clone / "sub-01_own.nii.gz"
    images = Images({"01": [path]}, keys_of([path]))
    kept = Downloads(images, drop=True, held_at_once=1).drop("01")
    assert list(kept) == [path]
    assert "Could not verify the existence of the 1 necessary copy" in kept[path]
    assert path.read_bytes() == b"first"


def test_nothing_is_dropped_unless_asked_for(clone):
    path = clone / "sub-01_own.nii.gz"
    images = Images({"01": [path]}, keys_of([path]))
    assert Downloads(images, drop=False, held_at_once=1).drop("01") == {}
    assert path.read_bytes() == b"first"

from __future__ import annotations

import shutil
from pathlib import Path

import annexed
import pytest

from twolevel.errors import OutputError
from twolevel.fetch.disk import check_space, free_bytes, readable_bytes

OTHERS_WRITE = 10_000_000  # at most, between two looks at the disk

pytestmark = pytest.mark.usefixtures("newcomer")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    annexed.git(tmp_path, "init", "--quiet")
    return tmp_path


def reserve(repository: Path) -> int:
    return shutil.disk_usage(repository).free - free_bytes(repository)


def test_git_annex_keeps_100_mb_free_by_itself(repository):
    assert reserve(repository) == pytest.approx(100_000_000, abs=OTHERS_WRITE)


@pytest.mark.parametrize(
    ("stated", "n_bytes"),
    [
        ("0", 0),
        ("3000000000", 3_000_000_000),
        ("3000000 kb", 3_000_000_000),
        ("700 megabytes", 700_000_000),
        ("700MB", 700_000_000),
        ("1.5 GB", 1_500_000_000),
        ("2g", 2_000_000_000),
        ("0.25 tb", 250_000_000_000),
        ("as much as you like", 100_000_000),
    ],
)
def test_what_git_annex_keeps_free_is_as_the_user_says(repository, stated, n_bytes):
    annexed.git(repository, "config", "annex.diskreserve", stated)
    assert reserve(repository) == pytest.approx(n_bytes, abs=OTHERS_WRITE)


def test_less_than_git_annex_keeps_free_is_negative(repository):
    annexed.git(repository, "config", "annex.diskreserve", "1000000 TB")
    assert free_bytes(repository) < 0


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_240_000, "1.2 MB"),
        (1_365_766_881, "1.4 GB"),
        (21_175_209_281, "21.2 GB"),
        (5_000_000_000_000_000, "5000.0 TB"),
        (-2_000_000, "-2.0 MB"),
    ],
)
def test_bytes_are_written_as_people_say_them(n_bytes, text):
    assert readable_bytes(n_bytes) == text


def test_downloads_that_fit_are_not_refused(repository):
    annexed.git(repository, "config", "annex.diskreserve", "0")
    check_space(repository, free_bytes(repository) - OTHERS_WRITE, "make room")


def test_downloads_that_do_not_fit_are_refused(repository):
    annexed.git(repository, "config", "annex.diskreserve", "1000000 TB")
    with pytest.raises(OutputError) as caught:
        check_space(repository, 1_300_000_000, "make room, or give --drop")
    assert str(caught.value) == (
        f"disk of {repository}\n"
        "  found:    0 B free, after what git-annex keeps free (annex.diskreserve)\n"
        "  expected: 1.3 GB for what is to be downloaded\n"
        "  do:       make room, or give --drop"
    )


def test_more_than_is_free_is_refused(repository):
    # A reserve of the free space, but for some bytes, makes a disk that is nearly full.
    annexed.git(repository, "config", "annex.diskreserve", "0")
    keep = free_bytes(repository) - 5 * OTHERS_WRITE
    annexed.git(repository, "config", "annex.diskreserve", str(keep))
    check_space(repository, 4 * OTHERS_WRITE, "make room")
    with pytest.raises(OutputError, match=r"60\.0 MB for what is to be downloaded"):
        check_space(repository, 6 * OTHERS_WRITE, "make room")


def test_a_full_disk_has_room_for_nothing(tmp_path):
    annexed.git(tmp_path, "init", "--quiet")
    annexed.git(tmp_path, "config", "annex.diskreserve", "1000000 TB")
    check_space(tmp_path, 0, "make room")

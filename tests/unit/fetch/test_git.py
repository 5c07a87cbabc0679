from __future__ import annotations

from pathlib import Path

import annexed
import pytest

from twolevel.fetch.git import commit_of, dataset_name, git, origin_of, repository_of

pytestmark = pytest.mark.usefixtures("newcomer")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    annexed.git(root, "init", "--quiet", "--initial-branch=main")
    annexed.git(root, "commit", "--quiet", "--allow-empty", "--message", "first\n\nmore")
    return root


def test_an_answer_comes_without_its_last_line_end(repository):
    assert git(repository, "log", "--format=%s%n%n%b") == "first\n\nmore"


def test_a_question_that_fails_has_an_empty_answer(repository, tmp_path):
    assert git(repository, "rev-parse", "nothing") == ""  # which prints the word
    assert git(tmp_path / "nowhere", "rev-parse", "HEAD") == ""


def test_without_git_every_answer_is_empty(repository, newcomer, tmp_path):
    newcomer.setenv("PATH", str(tmp_path))
    assert git(repository, "rev-parse", "HEAD") == ""


def test_the_repository_of_a_file_is_the_innermost(repository):
    inner = repository / "derivatives" / "fmriprep"
    inner.mkdir(parents=True)
    (inner / ".git").write_text("gitdir: ../../.git/modules/fmriprep\n")  # as in a submodule
    assert repository_of(inner / "sub-01" / "func" / "bold.nii.gz") == inner
    assert repository_of(str(repository / "sub-01" / "events.tsv")) == repository
    assert repository_of(inner) == repository


def test_a_file_outside_has_no_repository(tmp_path):
    assert repository_of(tmp_path / "file") is None


def test_the_commit_is_that_of_the_dataset_itself(repository):
    folder = repository / "derivatives"
    folder.mkdir()
    assert commit_of(repository) == annexed.git(repository, "rev-parse", "HEAD").strip()
    assert len(commit_of(repository)) == 40
    assert commit_of(folder) == ""


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.org/ds000001.git", "https://example.org/ds000001.git"),
        ("https://me:secret@example.org/ds000001.git", "https://example.org/ds000001.git"),
        ("http://token@example.org:8080/a?b=c@d", "http://example.org:8080/a?b=c@d"),
        ("/data/a@b", "/data/a@b"),
        ("git@example.org:me/ds000001.git", "git@example.org:me/ds000001.git"),
    ],
)
def test_an_origin_is_told_without_user_and_password(repository, url, origin):
    annexed.git(repository, "config", "remote.origin.url", url)
    assert origin_of(repository) == origin


def test_a_dataset_that_was_not_cloned_has_no_origin(repository):
    folder = repository / "derivatives"
    folder.mkdir()
    assert origin_of(repository) == ""
    annexed.git(repository, "config", "remote.origin.url", "/data")
    assert origin_of(folder) == ""


def test_a_dataset_is_named_as_it_was_fetched_then_by_its_origin_then_by_its_folder(repository):
    assert dataset_name(repository) == "data"
    annexed.git(repository, "config", "remote.origin.url", "/srv/my-study.git")
    assert dataset_name(repository) == "data"
    url = "https://example.org/ds000001/ds000002-fmriprep.git"
    annexed.git(repository, "config", "remote.origin.url", url)
    assert dataset_name(repository) == "ds000002"
    annexed.git(repository, "config", "twolevel.dataset", "balloon")
    assert dataset_name(repository) == "balloon"


def test_a_dataset_without_repository_is_named_by_its_folder(tmp_path):
    (tmp_path / "ds000005").mkdir()
    assert dataset_name(tmp_path / "ds000005") == "ds000005"


@pytest.mark.parametrize("scheme", ["ssh", "ria+https"])
def test_a_password_is_never_told(tmp_path, scheme):
    annexed.git(tmp_path, "init", "--quiet")
    annexed.git(tmp_path, "config", "remote.origin.url", f"{scheme}://me:secret@host/x")
    assert "secret" not in origin_of(tmp_path)


def test_the_commit_of_an_adjusted_branch_is_the_one_that_others_know(repository):
    before = commit_of(repository)
    annexed.git(repository, "annex", "init", "--quiet")
    annexed.git(repository, "annex", "adjust", "--unlock")
    assert annexed.git(repository, "rev-parse", "HEAD").strip() != before
    assert commit_of(repository) == before

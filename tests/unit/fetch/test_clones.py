from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import annexed
import pytest
from filelock import FileLock

from twolevel.errors import InputError, Problem, TransferError
from twolevel.fetch.clones import Clones, Source, clone_datasets
from twolevel.fetch.git import commit_of

pytestmark = pytest.mark.usefixtures("newcomer")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def clone(target: Path) -> Callable[..., list[str]]:
    """Ask for clones in `target` and return what was told about it."""

    def clone(name: str = "ds000001", **sources: Source) -> list[str]:
        told: list[str] = []
        raw, derivatives = (sources.get(kind, Source()) for kind in ("raw", "derivatives"))
        clones = clone_datasets(name, target, raw, derivatives, tell=told.append)
        assert clones == Clones(target, target / "derivatives" / "fmriprep")
        return told

    return clone


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with the tags 1.0.0 and 1.0.1, its branch `main` one commit further."""
    root = tmp_path / "source"
    root.mkdir()
    annexed.git(root, "init", "--quiet", "--initial-branch=main")
    commit_file(root, "dataset_description.json", "{}")
    for version in ("1.0.0", "1.0.1"):
        commit_file(root, "CHANGES", version)
        annexed.git(root, "tag", version)
    commit_file(root, "CHANGES", "to come")
    return root


def commit_file(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    annexed.git(root, "add", name)
    annexed.git(root, "commit", "--quiet", "--message", text)


def make_clones(source: Path, target: Path) -> None:
    """Clone raw dataset and derivatives, both from `source`, without this program."""
    for place in (target, target / "derivatives" / "fmriprep"):
        annexed.git(source, "clone", "--quiet", str(source), str(place))


def state(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def refusal(clone: Callable[..., list[str]], *words: str, **sources: Source) -> Problem:
    with pytest.raises(InputError) as caught:
        clone(*words, **sources)
    (problem,) = caught.value.problems
    return problem


def test_a_folder_that_holds_something_else_is_refused_and_kept(clone, target, tmp_path):
    target.mkdir()
    (target / "notes.txt").touch()
    before = state(tmp_path)
    assert refusal(clone) == Problem(
        f"TARGET {target}",
        "files that are no clone",
        "a new or empty folder, or an earlier clone of ds000001",
        "give another TARGET",
    )
    assert state(tmp_path) == before


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_a_file_or_a_link_to_nothing_is_refused(clone, target, tmp_path, make):
    make(target)
    assert refusal(clone).found == "a file"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("twolevel.dataset", "ds000002"),
        ("remote.origin.url", "https://example.org/ds000002.git"),
    ],
)
def test_a_clone_of_another_accession_is_refused(clone, target, key, value):
    target.mkdir()
    annexed.git(target, "init", "--quiet")
    annexed.git(target, "config", key, value)
    problem = refusal(clone)
    assert problem.found == "a clone of ds000002"
    assert problem.expected == "a new or empty folder, or an earlier clone of ds000001"


def test_a_clone_of_an_accession_may_be_called_by_another_name(clone, source, target):
    make_clones(source, target)
    annexed.git(target, "config", "twolevel.dataset", "ds000002")
    assert clone("balloon") == []


def test_clones_that_are_there_are_taken_as_they_are(clone, source, target, tmp_path):
    make_clones(source, target)
    commit = commit_of(target)
    before = state(tmp_path)
    assert clone() == []
    assert clone("by-any-name") == []
    assert clone(raw=Source(str(source)), derivatives=Source(str(source))) == []
    assert state(tmp_path) == before
    assert commit_of(target) == commit


def test_the_source_may_be_written_with_a_password_that_the_clone_has(clone, source, target):
    make_clones(source, target)
    annexed.git(target, "config", "remote.origin.url", "https://me:secret@example.org/ds000001")
    for address in ("https://me:secret@example.org/ds000001", "https://example.org/ds000001"):
        assert clone(raw=Source(address)) == []


def test_the_source_may_be_written_as_it_was_given(clone, source, target):
    make_clones(source, target)
    annexed.git(target, "config", "twolevel.source", "ria+file:///store#~ds000001")
    assert clone(raw=Source("ria+file:///store#~ds000001")) == []


def test_another_source_for_a_clone_is_refused_without_its_password(clone, source, target):
    make_clones(source, target)
    place = target / "derivatives" / "fmriprep"
    annexed.git(place, "config", "remote.origin.url", "https://me:secret@example.org/a.git")
    assert refusal(clone, derivatives=Source("/other")) == Problem(
        "--derivatives /other",
        f"a clone of https://example.org/a.git in {place}",
        "the same source as before",
        "give another TARGET, or remove that clone",
    )


def test_files_that_are_part_of_the_raw_dataset_are_its_derivatives(clone, source, target):
    annexed.git(source, "clone", "--quiet", str(source), str(target))
    commit_file(target, "derivatives/fmriprep/dataset_description.json", "{}")
    assert clone() == []


@pytest.mark.parametrize("kind", ["raw", "derivatives"])
def test_a_clone_changes_to_the_version_asked_for(clone, source, target, kind):
    make_clones(source, target)
    place = {"raw": target, "derivatives": target / "derivatives" / "fmriprep"}[kind]
    for version in ("1.0.0", "1.0.1"):
        told = clone(**{kind: Source(version=version)})
        assert told == [f"{kind}: changing to version {version}"]
        assert (place / "CHANGES").read_text() == version
        assert clone(**{kind: Source(version=version)}) == []
    first = annexed.git(source, "rev-parse", "1.0.0").strip()
    clone(**{kind: Source(version=first[:10])})
    assert commit_of(place) == first
    clone(**{kind: Source(version="main")})
    assert (place / "CHANGES").read_text() == "to come"


def test_a_version_younger_than_the_clone_is_got_from_its_source(clone, source, target):
    make_clones(source, target)
    commit_file(source, "CHANGES", "1.0.2")
    annexed.git(source, "tag", "1.0.2")
    clone(raw=Source(version="1.0.2"))
    assert (target / "CHANGES").read_text() == "1.0.2"


def test_a_version_that_does_not_exist_is_refused_with_the_newest(clone, source, target):
    make_clones(source, target)
    for number in range(2, 15):
        annexed.git(target, "tag", f"1.0.{number}")
    problem = refusal(clone, raw=Source(version="9.9.9"))
    assert (problem.where, problem.found) == ("--raw-version 9.9.9", "no such version")
    newest = ", ".join(f"1.0.{number}" for number in range(14, 2, -1))
    assert problem.expected == f"a tag or a commit; tags: {newest} and 3 more"


def test_changes_in_a_clone_are_not_lost_by_another_version(clone, source, target):
    make_clones(source, target)
    (target / "CHANGES").write_text("my own")
    problem = refusal(clone, raw=Source(version="1.0.0"))
    assert problem.where == "--raw-version 1.0.0"
    assert "CHANGES" in problem.found
    assert problem.expected == f"a clone without changes in {target}"
    assert (target / "CHANGES").read_text() == "my own"


@pytest.mark.parametrize("kind", ["raw", "derivatives"])
def test_a_name_that_is_no_accession_needs_both_sources(clone, source, target, kind):
    if kind == "derivatives":
        annexed.git(source, "clone", "--quiet", str(source), str(target))
    assert refusal(clone, "balloon") == Problem(
        "DATASET balloon",
        f"neither an accession of OpenNeuro nor --{kind}",
        f"an accession such as ds000001, or where the {kind} dataset is",
        f"give --{kind} URL",
    )


def test_a_target_that_another_process_clones_into_is_refused(clone, target):
    with FileLock(target.with_name(".data.lock")):
        assert refusal(clone) == Problem(
            str(target),
            "another process is cloning into it",
            "one `twolevel fetch` at a time for a target",
            "wait until it has ended",
        )
    assert not target.exists()


def test_who_is_refused_leaves_the_lock_of_the_other(tmp_path):
    lock = tmp_path / ".data.lock"
    with FileLock(lock):
        with pytest.raises(InputError):
            clone_datasets("ds000001", tmp_path / "data", Source(), Source(), tell=lambda _: None)
        assert lock.exists()


def test_a_branch_is_brought_up_to_date(tmp_path):
    source, target = tmp_path / "source", tmp_path / "data"
    source.mkdir()
    annexed.git(source, "init", "--quiet", "--initial-branch=main")
    commit_file(source, "dataset_description.json", "{}")
    for place in (target, target / "derivatives" / "fmriprep"):
        annexed.git(source, "clone", "--quiet", str(source), str(place))
    annexed.git(source, "commit", "--quiet", "--allow-empty", "--message", "2")
    clone_datasets("x", target, Source(version="main"), Source(), tell=lambda _: None)
    assert commit_of(target) == commit_of(source)


def test_a_git_repository_of_something_else_is_refused(clone, target, source):
    annexed.git(source, "rm", "--quiet", "dataset_description.json")
    annexed.git(source, "commit", "--quiet", "--message", "no dataset")
    make_clones(source, target)
    assert refusal(clone).found == "a git repository that is no BIDS dataset"


def test_a_target_below_a_file_is_refused(source, tmp_path):
    (tmp_path / "file").touch()
    url = Source(str(source))
    with pytest.raises(InputError) as caught:
        clone_datasets("x", tmp_path / "file" / "data", url, url, tell=lambda _: None)
    assert f"{tmp_path / 'file'} cannot be written" in str(caught.value)


def test_derivatives_that_are_part_of_the_raw_dataset_come_from_nowhere_else(
    clone, target, source
):
    commit_file(source, "derivatives/fmriprep/dataset_description.json", "{}")
    raw = Source(str(source))
    for derivatives, option in (
        (Source(str(source)), "--derivatives"),
        (Source(version="1.0.0"), "--derivatives-version"),
    ):
        problem = refusal(clone, raw=raw, derivatives=derivatives)
        assert problem.where == option
        assert problem.found == "the raw dataset holds derivatives/fmriprep itself"
    assert clone(raw=raw) == []
    assert sorted(p.name for p in target.parent.iterdir()) == ["data", "source"]


def test_plain_files_are_no_source(clone, tmp_path):
    (tmp_path / "plain").mkdir()
    problem = refusal(clone, raw=Source(str(tmp_path / "plain")))
    assert problem.found == "a folder that is no git repository"


def test_a_password_in_an_address_is_not_told(tmp_path):
    told: list[str] = []
    url = Source("http://user:secret@127.0.0.1:9/raw.git")
    with pytest.raises(TransferError) as caught:
        clone_datasets("x", tmp_path / "data", url, url, tell=told.append)
    assert told == ["raw: cloning http://127.0.0.1:9/raw.git"]
    assert "http://127.0.0.1:9/raw.git could not be cloned" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_identity_of_a_repository_around_a_clone_is_not_counted_on(source, tmp_path):
    annexed.git(tmp_path, "init", "--quiet", "outer")
    annexed.git(tmp_path / "outer", "config", "user.name", "Someone")
    annexed.git(tmp_path / "outer", "config", "user.email", "someone@example.org")
    annexed.git(source, "annex", "init", "--quiet")
    url = Source(str(source))
    target = tmp_path / "outer" / "data"
    clone_datasets("x", target, url, url, tell=lambda _: None)
    assert commit_of(target) == commit_of(source)

"""What goes wrong with downloads, and what is left afterwards."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from annexed import Sources, annexed_object, can_mount, git, static_server, tmpfs
from command import NOTHING_DRAWN, SMALL, call

from twolevel.files.annex import is_absent

AGAIN = "The same command tries again, and goes on with what is here."


@pytest.fixture
def copies(sources: Sources, tmp_path: Path) -> Path:
    """Sources that a test may damage."""
    shutil.copytree(sources.raw.parent, tmp_path / "copies")
    return tmp_path / "copies"


def of(folder: Path | str) -> list[str]:
    return ["--raw", f"{folder}/raw.git", "--derivatives", f"{folder}/fmriprep.git"]


def bold_of(sources: Sources, subject: str, run: str) -> str:
    """Return the name of a run's image in the derivatives."""
    stem = f"sub-{subject}/func/sub-{subject}_task-balloonanalogrisktask_run-{run}"
    name = f"{stem}_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz"
    assert name in sources.derivatives_content
    return name


def test_a_remote_that_cannot_be_reached_leaves_nothing(fetch, tmp_path):
    text = fetch(*of("http://127.0.0.1:9"), status=1)
    assert "http://127.0.0.1:9/raw.git could not be cloned: unable to access " in text
    assert text.rstrip().endswith(AGAIN)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_remote_without_derivatives_keeps_the_raw_clone(fetch, sources, copies, tmp_path):
    (copies / "fmriprep.git").rename(copies / "later.git")
    text = fetch(*of(copies), status=1)
    assert f"{copies}/fmriprep.git could not be cloned: " in text
    assert "does not exist" in text
    (copies / "later.git").rename(copies / "fmriprep.git")
    text = fetch(*of(copies), "--participant-label", "01")
    assert "raw: cloning" not in text
    assert "derivatives: cloning" in text
    assert not is_absent(tmp_path / "target/derivatives/fmriprep" / bold_of(sources, "01", "1"))


def test_a_remote_that_goes_away_keeps_what_was_downloaded(fetch, sources, copies, tmp_path):
    prepared = tmp_path / "target/derivatives/fmriprep"
    with static_server(copies) as server:
        fetch(*of(server.url), "--participant-label", "01")
    text = fetch("--participant-label", "01", "02", status=1)
    assert "8 of 34 files could not be downloaded:" in text
    assert f"  derivatives/fmriprep/{bold_of(sources, '02', '1')}: " in text
    assert text.rstrip().endswith(AGAIN)
    assert not is_absent(prepared / bold_of(sources, "01", "1"))
    assert is_absent(prepared / bold_of(sources, "02", "1"))


@pytest.mark.parametrize("way", ["path", "http"])
def test_content_that_does_not_fit_its_checksum_is_refused_and_named(
    fetch, sources, copies, tmp_path, way
):
    bold = bold_of(sources, "01", "2")
    damaged = annexed_object(copies / "fmriprep.git", bold)
    good = damaged.read_bytes()
    damaged.write_bytes(good[:-4] + b"xxxx")
    prepared = tmp_path / "target/derivatives/fmriprep"
    with static_server(copies) as server:
        where = of(server.url if way == "http" else copies)
        text = fetch(*where, "--participant-label", "01", status=1)
        assert "1 of 20 files could not be downloaded:" in text
        (line,) = [line for line in text.splitlines() if bold in line]
        assert line.startswith(f"  derivatives/fmriprep/{bold}: ")
        assert ("Verification of content failed" if way == "http" else "its checksum") in line
        assert is_absent(prepared / bold)
        assert not is_absent(prepared / bold_of(sources, "01", "1"))
        damaged.write_bytes(good)
        fetch("--participant-label", "01")
    assert (prepared / bold).read_bytes() == good


def test_a_subject_or_a_space_that_is_not_there_is_refused_before_downloading(fetch, sources):
    with static_server(sources.raw.parent) as server:
        where = of(server.url)
        subject = fetch(*where, "--participant-label", "01", "17", status=3)
        space = fetch(*where, "--space", "MNI152NLin2009cAsym:res-1", status=3)
        task = fetch(*where, "--task-id", "rest", status=3)
        run = fetch(*where, "--run-label", "7", status=3)
        assert not [path for path in server.requests if "/annex/objects/" in path]
    assert "--participant-label 17\n  found:    no such subject" in subject
    assert "expected: one of: 01, 02, 03" in subject
    assert "--space\n  found:    none that fit among: MNI152NLin2009cAsym:res-2" in space
    for text in (task, run):
        assert "no run for this selection; there are task: balloonanalogrisktask; run: " in text


def test_a_subject_without_derivatives_is_refused_with_those_that_have_them(
    fetch, copies, tmp_path
):
    git(tmp_path, "clone", "--quiet", f"{copies}/fmriprep.git", "edited")
    git(tmp_path / "edited", "rm", "-rq", "sub-02")
    git(tmp_path / "edited", "commit", "-qm", "one subject less")
    git(tmp_path / "edited", "push", "-q", "origin", "HEAD:main")
    text = fetch(*of(copies), "--participant-label", "02", status=3)
    assert "sub-02\n  found:    no preprocessed image with its mask in this space" in text
    assert "subjects in the derivatives: 01, 03" in text
    text = fetch(*of(copies), "--dry-run")
    what = "note: no preprocessed image in this space: "
    assert f"{what}sub-02 task-balloonanalogrisktask run-1; sub-02 " in text


@pytest.mark.skipif(not can_mount(), reason="a small disk can be mounted by root only")
def test_a_disk_without_room_is_refused_before_downloading(fetch, from_paths, sources):
    with tmpfs(5_000_000) as disk:
        target = disk / "target"
        reserve = fetch(*from_paths, target=target, status=3)
        assert f"disk of {target}/derivatives/fmriprep\n  found:    0 B free" in reserve
        assert re.search(r"expected: 6\.\d MB for what is to be downloaded", reserve)
        small = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "annex.diskreserve",
            "GIT_CONFIG_VALUE_0": "1kB",
        }
        text = fetch(target=target, status=3, **small)
        assert re.search(r"expected: 6\.\d MB for what is to be downloaded", text)
        assert re.search(r"found:    [34]\.\d MB free", text)
        fetch("--participant-label", "01", target=target, **small)
        assert not is_absent(target / "derivatives/fmriprep" / bold_of(sources, "01", "1"))


@pytest.mark.skipif(not can_mount(), reason="a small disk can be mounted by root only")
def test_a_disk_that_fills_up_meanwhile_keeps_what_was_downloaded(sources, environment):
    small = {
        **environment,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "annex.diskreserve",
        "GIT_CONFIG_VALUE_0": "1kB",
    }
    with tmpfs(5_000_000) as disk, static_server(sources.raw.parent) as server:
        target = disk / "target"
        call("fetch", "ds000001", target, *of(server.url), "--dry-run", environment=small)
        server.bytes_per_second = 1_000_000
        with started(small, "fetch", "ds000001", target, "--participant-label", "01",
                     "--jobs", "1") as process:  # fmt: skip
            wait_for(lambda: bold_of(sources, "01", "1") in named(server, target))
            (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free - 200_000))
            out, err = process.communicate(timeout=60)
        assert process.returncode == 1, out + err
        assert "files could not be downloaded:" in err
        assert AGAIN in err
        (disk / "other").unlink()
        server.bytes_per_second = None
        call("fetch", "ds000001", target, "--participant-label", "01", environment=small)


@contextmanager
def started(environment, *words, group: bool = True):
    """Start the command, as leader of a process group, and see that nothing is left of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "twolevel", *map(str, words)],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=group,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def programs_in(folder: Path) -> list[str]:
    """List the processes that work in a folder or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in str((process / "cwd").readlink()):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_download_leaves_no_process_and_is_gone_on_with(
    sources, tmp_path, environment, sign
):
    target = tmp_path / "target"
    words = ["fetch", "ds000001", target, "--participant-label", "01", "--jobs", "2"]
    with static_server(sources.raw.parent) as server:
        call(*words, *of(server.url), "--dry-run", environment=environment)
        server.bytes_per_second = 200_000
        with started(environment, *words) as process:
            wait_for(lambda: sum("_bold" in name for name in named(server, target)) == 2)
            process.send_signal(sign)
            process.wait(timeout=30)
            err = process.stderr.read() if sign != signal.SIGKILL else ""
        assert process.returncode == (-9 if sign == signal.SIGKILL else 130)
        if sign != signal.SIGKILL:
            assert err.strip().endswith("the same command goes on from there.")
        wait_for(lambda: programs_in(target) == [], seconds=15)
        prepared = target / "derivatives/fmriprep"
        assert is_absent(prepared / bold_of(sources, "01", "1"))
        server.bytes_per_second = None
        call(*words, environment=environment)
    for run in ("1", "2"):
        bold = bold_of(sources, "01", run)
        assert (prepared / bold).read_bytes() == sources.derivatives_content[bold]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_process_and_is_gone_on_with(
    sources, tmp_path, environment, sign
):
    target = tmp_path / "target"
    words = ["run", target, tmp_path / "out", "participant", "-m", SMALL, "-w", tmp_path / "work"]
    words += ["--fetch", "--drop", "--participant-label", "01", "02", *NOTHING_DRAWN]
    with static_server(sources.raw.parent) as server:
        call("fetch", "ds000001", target, *of(server.url), "--dry-run", environment=environment)
        server.bytes_per_second = 500_000
        with started(environment, *words) as process:
            wait_for(lambda: bold_of(sources, "02", "1") in named(server, target), seconds=60)
            process.send_signal(sign)
            process.wait(timeout=30)
        wait_for(lambda: programs_in(tmp_path) == [], seconds=15)
        server.bytes_per_second = None
        call(*words, "--worker", "debug", environment=environment)
    assert sorted(p.name for p in (tmp_path / "out").glob("sub-*")) == ["sub-01", "sub-02"]
    images = sorted(target.glob("derivatives/fmriprep/sub-*/func/*_bold.nii.gz"))
    assert [is_absent(path) for path in images] == [True] * 6


def named(server, target: Path) -> list[str]:
    """Return the annexed files whose content was asked for."""
    root = target / "derivatives/fmriprep"
    links = {
        path.readlink().name: path.relative_to(root).as_posix()
        for path in root.glob("sub-*/func/*")
        if path.is_symlink()
    }
    return [links[Path(r).name] for r in server.requests if Path(r).name in links]


def test_a_clone_that_was_interrupted_is_made_anew(fetch, from_paths, tmp_path):
    partial = tmp_path / ".target.partial" / ".git"
    partial.mkdir(parents=True)
    (partial / "HEAD").write_text("ref: refs/heads/nothing\n")
    fetch(*from_paths, "--dry-run")
    assert not partial.exists()


class NeedsPassword(BaseHTTPRequestHandler):
    """A server that lets nobody in."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_nobody_is_asked_for_a_password(environment, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), NeedsPassword) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/raw.git"
        words = ["fetch", "ds000001", str(tmp_path / "target"), "--raw", url]
        child, terminal = pty.fork()
        if child == 0:
            os.environ.update(environment)
            os.execv(sys.executable, [sys.executable, "-m", "twolevel", *words])  # noqa: S606
        said = b""
        try:
            while piece := os.read(terminal, 4096):
                said += piece
        except OSError:
            pass  # the terminal is closed when the command has ended
        _, status = os.waitpid(child, 0)
        server.shutdown()
    assert os.waitstatus_to_exitcode(status) == 1
    assert b"could not be cloned" in said
    assert b"terminal prompts disabled" in said
    assert b"Username" not in said.replace(b"could not read Username", b"")


@pytest.mark.network
def test_the_real_dataset(tmp_path, environment):
    target = tmp_path / "target"
    text = call(
        "fetch", "ds000001", target, "--participant-label", "01", "--run-label", "1", "--model",
        "balloon", "--space", "MNI152NLin2009cAsym:res-2", "--dry-run", environment=environment,
    )  # fmt: skip
    assert 400_000_000 < int(text.splitlines()[-1]) < 500_000_000
    assert git(target, "rev-parse", "HEAD") != ""

from __future__ import annotations

from pathlib import Path

import pytest

from twolevel.cli.options import DemoOptions, FetchOptions, ModelCommandOptions, RunOptions
from twolevel.cli.parser import parse

RUN = ("run", "data", "results")
FETCH = ("fetch", "ds000001", "data")


@pytest.fixture
def refusal(capsys):
    """Return what is said of words that are no command, in the last line."""

    def refusal(*words: str) -> str:
        with pytest.raises(SystemExit) as caught:
            parse(words)
        assert caught.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"usage: twolevel {words[0]} ")
        return str(err.splitlines()[-1])

    return refusal


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["participant", "--drop"], "--drop goes with --fetch"),
        (["all", "--drop"], "--drop goes with --fetch"),
        (["group", "--drop"], "--drop goes with --fetch"),
        (["all", "--jobs", "4"], "--jobs goes with --fetch"),
        (["all", "--drop", "--jobs=2"], "--drop goes with --fetch"),
        (
            ["group", "--fetch"],
            "--fetch is for the levels participant and all; group reads no images",
        ),
        (
            ["group", "--fetch", "--drop", "--jobs", "2"],
            "--fetch is for the levels participant and all; group reads no images",
        ),
        (["all", "--fetch", "--jobs", "0"], "argument --jobs: 0 is not 1 or more"),
        (
            ["all", "--fetch", "--jobs", "two"],
            "argument --jobs: invalid whole number value: 'two'",
        ),
    ],
)
def test_options_of_downloads_that_do_not_go_together_are_refused(refusal, words, said):
    assert refusal(*RUN, *words) == f"twolevel run: error: {said}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "0"], "argument --jobs: 0 is not 1 or more"),
        (["--jobs", "-1"], "argument --jobs: -1 is not 1 or more"),
    ],
)
def test_a_fetch_needs_a_job(refusal, words, said):
    assert refusal(*FETCH, *words) == f"twolevel fetch: error: {said}"


@pytest.mark.parametrize("command", [[*RUN, "all"], ["demo"]])
@pytest.mark.parametrize("option", ["--open", "--atlas"])
def test_options_of_the_report_do_not_go_without_one(refusal, tmp_path, command, option):
    atlas = tmp_path / "atlas.nii.gz"
    atlas.touch()
    words = [option, str(atlas)] if option == "--atlas" else [option]
    said = f"{option} is about the report, which --no-report leaves out"
    name = f"twolevel {command[0]}"
    assert refusal(*command, "--no-report", *words) == f"{name}: error: {said}"
    options = parse([*command, "--no-figures", *words])
    assert isinstance(options, RunOptions | DemoOptions)
    assert options.no_figures


@pytest.mark.parametrize("command", [[*RUN, "all"], ["demo"]])
def test_figures_and_report_are_made_unless_they_are_left_out(command):
    for words, left_out in (([], False), (["--no-figures", "--no_report"], True)):
        options = parse([*command, *words])
        assert isinstance(options, RunOptions | DemoOptions)
        assert (options.no_figures, options.no_report) == (left_out, left_out)
        assert options.draws is not left_out


def test_the_participant_level_draws_nothing():
    options = parse([*RUN, "participant"])
    assert isinstance(options, RunOptions)
    assert not options.draws


@pytest.mark.parametrize("level", ["participant", "all"])
def test_options_of_downloads_go_with_fetch(level):
    arguments = parse([*RUN, level, "--fetch", "--drop", "--jobs", "3"])
    assert isinstance(arguments, RunOptions)
    assert (arguments.fetch, arguments.drop, arguments.jobs) == (True, True, 3)


def test_nothing_is_downloaded_or_dropped_unless_asked_for():
    for level in ("participant", "group", "all"):
        arguments = parse([*RUN, level])
        assert isinstance(arguments, RunOptions)
        assert (arguments.fetch, arguments.drop, arguments.jobs) == (False, False, None)


def test_fetch_takes_the_newest_of_openneuro_with_four_jobs_by_default():
    arguments = parse(FETCH)
    assert isinstance(arguments, FetchOptions)
    assert (arguments.dataset, arguments.target) == ("ds000001", Path("data"))
    assert (arguments.raw, arguments.raw_version) == (None, None)
    assert (arguments.derivatives, arguments.derivatives_version) == (None, None)
    assert (arguments.jobs, arguments.dry_run) == (4, False)


@pytest.mark.parametrize(
    "options",
    [
        ["--participant-label", "01", "sub_02", "--task-id=a_b", "--raw-version=v_1", "--dry-run"],
        ["--participant_label", "01", "sub_02", "--task_id=a_b", "--raw_version=v_1", "--dry_run"],
    ],
)
def test_options_of_fetch_may_be_written_with_hyphens_or_underscores(options):
    arguments = parse([*FETCH[:2], "my_data", *options])
    assert isinstance(arguments, FetchOptions)
    assert arguments.target == Path("my_data")
    assert arguments.participant_label == ("01", "sub_02")
    assert (arguments.task_id, arguments.raw_version) == ("a_b", "v_1")
    assert arguments.dry_run is True


@pytest.mark.parametrize("options", [["--clean-work-dir"], ["--clean_work_dir"]])
def test_options_of_run_may_be_written_with_hyphens_or_underscores(refusal, options):
    arguments = parse([*RUN, "all", "--fetch", *options])
    assert isinstance(arguments, RunOptions)
    assert arguments.clean_work_dir is True
    said = "twolevel run: error: --drop goes with --fetch"
    assert refusal(*RUN, "all", "--drop", *options) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            [*RUN, "all", "--particpant-label", "01"],
            'no such option: --particpant-label. Did you mean "--participant-label"?',
        ),
        (  # the words that follow are no positional arguments
            ["run", "--particpant-label", "01", *RUN[1:], "all"],
            'no such option: --particpant-label. Did you mean "--participant-label"?',
        ),
        ([*RUN, "all", "--N_prem=5"], 'no such option: --N-prem. Did you mean "--n-perm"?'),
        ([*RUN, "all", "-smoothing-fwhm", "5"], None),
        (
            ["validate", "data", "--task", "a", "--spcae", "b"],
            (
                'no such option: --task. Did you mean "--task-id"?; '
                'no such option: --spcae. Did you mean "--space"?'
            ),
        ),
        (
            ["simulate", "data", "--subjects", "3"],
            'no such option: --subjects. Did you mean "--n-subjects"?',
        ),
        (["report", "results", "--zzzz"], "no such option: --zzzz"),
        (
            ["validate", "data", "--nprocs", "2"],
            (
                "--nprocs is an option of `twolevel run` and `twolevel demo`, not of "
                "`twolevel validate`"
            ),
        ),
        (
            ["report", "results", "--raw=here"],
            "--raw is an option of `twolevel fetch`, not of `twolevel report`",
        ),
        (
            [*RUN, "partcipant"],
            (
                "argument analysis_level: invalid choice: 'partcipant' (choose from "
                "'participant', 'group', 'all'). Did you mean \"participant\"?"
            ),
        ),
        (
            [*RUN, "all", "--engine", "nilearm"],
            (
                "argument --engine: invalid choice: 'nilearm' (choose from 'twolevel', "
                "'nilearn'). "
                'Did you mean "nilearn"?'
            ),
        ),
        ([*RUN, "all", "01"], "too many arguments: 01"),
    ],
)
def test_a_misspelt_word_is_told_with_the_nearest_one(refusal, words, said):
    # Newer Pythons leave out the quotation marks around choices.
    plain = refusal(*words).replace("'", "")
    if said is None:
        said = 'no such option: -smoothing-fwhm. Did you mean "--smoothing-fwhm"?'
    assert plain == f"twolevel {words[0]}: error: {said}".replace("'", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vallidate", "data"], 'Did you mean "validate"?'),
        (["Run", "data"], 'Did you mean "run"?'),
        (
            ["--smoothing-fwhm", "5", *RUN, "all"],
            (
                "--smoothing-fwhm goes after the command: it is an option of `twolevel run` and "
                "`twolevel validate`"
            ),
        ),
        (["--verison"], 'no such option: --verison. Did you mean "--version"?'),
    ],
)
def test_a_misspelt_command(capsys, words, said):
    with pytest.raises(SystemExit) as caught:
        parse(words)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: twolevel [-h]")
    assert err.endswith(f"{said}\n")


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--mem-gb", "-1"], None, "argument --mem-gb: -1 is not 0.5 or more"),
        (["--mem-gb", "-.5"], None, "argument --mem-gb: -.5 is not 0.5 or more"),
        (["-mballoon"], "model", "balloon"),
        (["--model=--odd name"], "model", "--odd name"),
        (["-v"], "verbose", True),
    ],
)
def test_values_are_not_taken_for_options(refusal, words, name, value):
    if name is None:
        assert refusal(*RUN, "all", *words) == f"twolevel run: error: {value}"
    else:
        assert getattr(parse([*RUN, "all", *words]), name) == value


def test_a_place_that_need_not_be_filled_has_its_default() -> None:
    demo = parse(["demo"])
    model = parse(["model", "--preset", "balloon"])
    assert isinstance(demo, DemoOptions)
    assert isinstance(model, ModelCommandOptions)
    assert demo.output_dir == Path("demo")
    assert model.bids_dir is None

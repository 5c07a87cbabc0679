"""The report: true to the files, whole without them, harmless whatever they hold."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from command import Analysis, analyse, call

from twolevel.bids.entities import Entities
from twolevel.derivatives.calls import RunRecord, write_run_record
from twolevel.derivatives.records import GROUP, Publication, record_failure, write_publication
from twolevel.report import page as report_page


class Page(HTMLParser):
    """Text, identifiers, links and sources of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.images_without_text = 0
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []
        self.sources += [given["src"] or ""] if "src" in given else []
        self.images_without_text += tag == "img" and not given.get("alt")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_graph_of_the_model_says_in_words_what_was_done(analysed: Analysis):
    content = (analysed.output_dir / "report.html").read_text(encoding="utf-8")
    assert (
        'alt="Run node run, 6 runs. Subject node subject, 15 units of 2 inputs, 30 in all. '
        "Dataset node group, 5 units of 3 inputs, 15 in all. run leads to subject. "
        'subject leads to group."'
    ) in content


@pytest.fixture
def results(analysed: Analysis, tmp_path: Path) -> Path:
    """Results that a test may change."""
    shutil.copytree(analysed.output_dir, tmp_path / "results")
    return tmp_path / "results"


def report_of(output_dir: Path) -> Page:
    call("report", output_dir)
    return Page(output_dir / "report.html")


def test_the_report_is_made_anew_from_the_derivatives_alone(results: Path):
    before = (results / "report.html").read_bytes()
    (results / "report.html").unlink()
    text = call("report", results)
    assert f"report        {results}/report.html" in text
    assert (results / "report.html").read_bytes() == before


def test_nothing_is_asked_for_from_elsewhere_and_every_link_leads_somewhere(analysed: Analysis):
    page = Page(analysed.output_dir / "report.html")
    # Each contrast: without a threshold, 9 tests, through the brain, the subjects; the coverage;
    # each run: mean and mask. And the graph of the model.
    assert len(page.sources) == 5 * (1 + 9 + 1 + 1) + 1 + 6 + 1
    kinds = Counter(source.partition(";")[0] for source in page.sources)
    assert kinds == {"data:image/webp": len(page.sources) - 1, "data:image/svg+xml": 1}
    assert page.images_without_text == 0
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    files = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert files
    assert all((analysed.output_dir / unquote(link)).is_file() for link in files)
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert (analysed.output_dir / "report.html").stat().st_size < 15_000_000


def test_numbers_of_the_page_are_those_of_the_files(analysed: Analysis):
    page = Page(analysed.output_dir / "report.html")
    (path,) = analysed.output_dir.glob("group/*_tests.tsv")
    for row in pd.read_csv(path, sep="\t").to_dict("records"):
        if row["n_voxels"] and row["test"] not in ("clusterExtent", "fpr"):
            clusters = f"{row['n_clusters']} cluster{'s' * (row['n_clusters'] != 1)}"
            assert f"{row['test']} {row['n_voxels']} voxels in {clusters}" in page.text
    excluded = pd.read_csv(analysed.output_dir / "excluded.tsv", sep="\t", dtype=str)
    for words in excluded[["subject", "kind", "reason"]].to_numpy(str).tolist():
        assert all(f" {word} " in f" {page.text} " for word in words)
    assert "3 subjects, 6 runs; the group holds 3 subjects." in page.text
    n_volumes = excluded.loc[excluded["kind"] == "volume", "count"].astype(int).sum()
    assert f"Left out: {n_volumes} volumes in 6 runs; " in page.text
    assert "8 relabelings, smallest attainable p 0.25" in page.text
    assert "smoothed with a Gaussian kernel of 5 mm full width at half maximum" in page.text
    assert "Everything random came from seed 0." in page.text
    assert "Desikan - Killiany atlas" in page.text


def test_clusters_of_the_page_are_those_of_the_tables(analysed: Analysis):
    page = Page(analysed.output_dir / "report.html")
    tables = sorted(analysed.output_dir.glob("group/*_clusters.tsv"))
    n_rows = 0
    for path in tables:
        for row in pd.read_csv(path, sep="\t").head(25).to_dict("records"):
            d = float(row["t_at_peak"]) / 3**0.5
            numbers = [row["z_at_peak"], row["t_at_peak"], row["effect_at_peak"], d]
            start = f"{row['cluster']} {row['sign']} {row['n_voxels']} {row['volume_mm3']:,.0f} "
            place = " ".join(f"{row[f'peak_{axis}_mm']:.0f}" for axis in "xyz")
            end = re.escape(" ".join(f"{float(number):.3g}" for number in numbers))
            assert re.search(rf"{start}{place} [^0-9-]*(\(\d mm\) )?{end}", page.text), (path, row)
            n_rows += 1
    assert n_rows > 20


def test_another_atlas_names_the_regions(results: Path, tmp_path: Path):
    (z_map,) = results.glob("group/*_contrast-pumps_stat-z_statmap.nii.gz")
    image = nib.load(z_map)
    labels = np.where(np.arange(image.shape[0]) < image.shape[0] // 2, 1, 2)[:, None, None]
    whole = np.broadcast_to(labels, image.shape).astype(np.uint8)
    atlas = tmp_path / "halves.nii.gz"
    nib.save(nib.Nifti1Image(whole, image.affine), atlas)
    text = call("report", results, "--atlas", atlas, status=3)
    assert "no table of its labels" in text
    (tmp_path / "halves.tsv").write_text("index\tname\n1\t<b>one</b> half\n2\tother half\n")
    call("report", results, "--atlas", atlas)
    page = Page(results / "report.html")
    assert "Regions: halves.nii.gz" in page.text
    assert "<b>one</b> half" in page.text
    assert "other half" in page.text
    assert "b" not in page.tags
    assert "Desikan" not in page.text


def test_several_groups_in_one_folder_are_told_apart(results: Path):
    for path in results.glob("group/task-balloonanalogrisktask_*"):
        name = path.name.replace("task-balloonanalogrisktask", "task-other")
        shutil.copy(path, path.with_name(name))
    (table,) = results.glob("group/task-other_*_tests.tsv")
    rows = table.read_text().splitlines(keepends=True)
    table.write_text(
        "".join(row for row in rows if "\tfdr\t" not in row and "\t0.001\t" not in row)
    )
    page = report_of(results)
    assert len([link for link in page.links if "task-other" in link and link[0] == "#"]) >= 10
    assert page.text.count("one-sample model by ordinary least squares") == 2
    row = re.search(r"fdr ((?:\d[\d,]* \(\d+\) |none )+)fpr", page.text)
    assert row  # five contrasts of the first group, nothing below those of the second
    assert len(re.findall(r"\d \(\d+\)|none", row[1])) == 5
    html = (results / "report.html").read_text()
    (cells,) = re.findall(r'<th scope="row">fdr</th>(.*?)</tr>', html, flags=re.DOTALL)
    assert cells.count("<td>") == 10
    assert cells.rstrip().endswith("<td></td>")


def test_contrasts_named_by_numbers_are_read(results: Path):
    for path in [p for p in results.rglob("*contrast-pumps_*") if "sub-" not in p.name]:
        path.rename(path.with_name(path.name.replace("contrast-pumps_", "contrast-01_")))
    (table,) = results.glob("group/*_tests.tsv")
    rows = table.read_text().splitlines(keepends=True)
    table.write_text(
        "".join(
            [rows[0], *(r.replace("pumps\t", "01\t", 1) for r in rows if r.startswith("pumps\t"))]
        )
    )
    page = report_of(results)
    assert any(link.endswith("-01") for link in page.links)


def test_text_from_files_is_shown_as_text(results: Path):
    plain = report_of(results)
    harm = "</script><script>document.title = 'harm'</script><b>pumps</b>"
    (path,) = results.glob("group/*_contrast-pumps_stat-z_statmap.json")
    sidecar = json.loads(path.read_text())
    sidecar["Contrast"]["Name"] = harm
    path.write_text(json.dumps(sidecar))
    (table,) = results.glob("group/*_tests.tsv")
    table.write_text(table.read_text().replace("false discovery rate", "<i>rate</i>"))
    for design in results.glob("sub-*/func/*_design.tsv"):
        design.write_text(design.read_text().replace("csf", "<u>csf</u>"))
    page = report_of(results)
    assert not {"b", "i", "u"} & set(page.tags)
    assert page.tags.count("script") == plain.tags.count("script") == 3
    assert harm in page.text
    assert "<u>csf</u>" in page.text


def test_a_report_is_made_where_there_is_no_group(results: Path):
    shutil.rmtree(results / "group")
    shutil.rmtree(results / "figures")
    page = report_of(results)
    assert "There is no group result here" in page.text
    assert "Quality of each run" in page.text
    assert len(page.sources) == 6 + 1  # of the runs; the graph of the model


def test_a_report_is_made_where_the_maps_of_the_subjects_are_gone(results: Path):
    for folder in results.glob("sub-*"):
        shutil.rmtree(folder)
    for figure in results.glob("figures/*_desc-subjects_*"):
        figure.unlink()
    page = report_of(results)
    gone = "The maps of the subjects are not here any more, or not those that this group"
    assert page.text.count(gone) == 5
    assert "No run has been analysed here." in page.text
    assert "Survives: " in page.text or "Nothing survives" in page.text


def test_a_report_without_figures_says_so_once_and_leaves_no_gap(results: Path):
    with_figures = report_of(results)
    shutil.rmtree(results / "figures")
    page = report_of(results)
    said = "No figures are shown: they were left out with --no-figures , or removed since."
    assert page.text.count(said) == 1
    assert "No figures are shown" not in with_figures.text
    assert with_figures.text.count("The tests, on the same scale") == 5
    assert "The tests, on the same scale" not in page.text
    assert page.text.count("Explore ") == 5
    assert len(page.sources) == 6 + 1  # of the runs; the graph of the model
    html = (results / "report.html").read_text(encoding="utf-8")
    assert re.search(r"</h3>\s*(</section>|<h[23]>)", html) is None
    assert "Not complete" not in page.text


def test_what_failed_is_told_on_top_until_it_works(results: Path):
    of_subject, of_group = (
        Publication(who, Entities({"task": "x"}), {}) for who in ("sub-04", GROUP)
    )
    record_failure(results, of_subject, "FitRun of sub-04 run-1: <b>no voxel</b> is left")
    record_failure(results, of_group, "no voxel is covered by all 3 subjects")
    for number in ("1", "2"):
        log = results / "logs" / f"2099{number}.log"
        write_run_record(log, RunRecord(f"twolevel {number}"))
    page = report_of(results)
    assert "Failed sub-04 FitRun of sub-04 run-1: <b>no voxel</b> is left The group" in page.text
    assert "b" not in page.tags
    text = (results / "report.html").read_text()
    assert text.index('id="errors"') < text.index('id="summary"')
    assert "twolevel 1 twolevel 2" in page.text
    for publication in (of_subject, of_group):
        write_publication(results, publication)
    assert "errors" not in report_of(results).ids


def test_a_participant_level_by_itself_shows_what_was_left_out(results: Path):
    shutil.rmtree(results / "group")
    before = pd.read_csv(results / "excluded.tsv", sep="\t")
    (results / "excluded.tsv").unlink()
    page = report_of(results)
    assert "Nothing was left out" not in page.text
    assert page.text.count("outside the sample mask") == (before["kind"] == "volume").sum()


def test_a_subject_with_little_coverage_is_named(results: Path):
    (path,) = (p for p in results.glob("sub-03/func/*_mask.nii.gz") if "_run-" not in p.name)
    image = nib.load(path)
    less = np.asarray(image.dataobj).copy()
    less[: less.shape[0] // 2] = 0
    nib.save(nib.Nifti1Image(less, image.affine), path)
    page = report_of(results)
    said = re.search(r"sub-03 covers (\d+\.\d)% of the voxels that most subjects cover", page.text)
    assert said
    assert 40 < float(said[1]) < 60
    assert re.search(rf"sub-03 {said[1]} % \(low\) \d,\d+", page.text)


def test_many_subjects_have_pages_of_their_own(results: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report_page, "INLINE_RUNS", 5)
    report_page.write_report(results)
    page = Page(results / "report.html")
    links = [link for link in page.links if link.endswith("_details.html")]
    assert links == [f"figures/sub-0{n}_details.html" for n in (1, 2, 3)]
    for link in links:
        own = Page(results / link)
        assert own.images_without_text == 0
        assert len(own.sources) == 2
        assert "../report.html#subjects" in own.links
        assert "script" not in own.tags
    monkeypatch.undo()
    report_page.write_report(results)
    assert not list((results / "figures").glob("*_details.html"))


def test_nothing_that_survives_is_said_plainly(results: Path):
    (path,) = results.glob("group/*_tests.tsv")
    table = pd.read_csv(path, sep="\t")
    table.loc[table["contrast"] == "pumps", ["n_voxels", "n_clusters"]] = 0
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    page = report_of(results)
    said = (
        "Nothing survives any test with error control. Nothing can survive permutationFWE at 0.05"
    )
    assert said in page.text
    assert ". The strongest peak lies at (" in page.text
    assert re.search(r"corrected p = 0\.\d+ \(permutationFWE\)", page.text)


def test_a_damaged_map_of_another_task_is_told_and_hides_nothing(
    copied: tuple[Path, Analysis],
):
    data, analysis = copied
    # Maps of another task, one of them damaged: no business of this run, but of the report.
    for path in analysis.output_dir.glob("group/task-balloonanalogrisktask_*"):
        other = path.with_name(path.name.replace("task-balloonanalogrisktask", "task-other"))
        shutil.copy(path, other)
    (damaged,) = analysis.output_dir.glob("group/task-other_*_contrast-cash_stat-t_statmap.nii.gz")
    damaged.write_bytes(damaged.read_bytes()[:100])
    text = analyse(data, analysis.output_dir, "all")
    assert "3 subjects (3 cached)" in text
    page = report_of(analysis.output_dir)
    assert "Not complete" in page.text
    assert damaged.name in page.text
    assert "Nothing survives any test with error control." in page.text


def test_a_folder_without_results_is_refused(tmp_path: Path):
    text = call("report", tmp_path, status=3)
    assert "no results of twolevel" in text
    assert "give the OUTPUT_DIR of a run" in text

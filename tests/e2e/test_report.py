"""The report: true to the files, whole without them, harmless whatever they hold."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from command import Analysis, call


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
    assert len(page.sources) == 5 * (1 + 9)
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert page.images_without_text == 0
    assert page.links
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
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
    assert "8 relabelings, smallest attainable p 0.25" in page.text
    assert "smoothed with a Gaussian kernel of 5 mm full width at half maximum" in page.text


def test_text_from_files_is_shown_as_text(results: Path):
    harm = "<script>document.title = 'harm'</script><b>pumps</b>"
    (path,) = results.glob("group/*_contrast-pumps_stat-z_statmap.json")
    sidecar = json.loads(path.read_text())
    sidecar["Contrast"]["Name"] = harm
    path.write_text(json.dumps(sidecar))
    (table,) = results.glob("group/*_tests.tsv")
    table.write_text(table.read_text().replace("false discovery rate", "<i>rate</i>"))
    page = report_of(results)
    assert not {"script", "b", "i"} & set(page.tags)
    assert harm in page.text


def test_a_report_is_made_where_there_is_no_group(results: Path):
    shutil.rmtree(results / "group")
    shutil.rmtree(results / "figures")
    page = report_of(results)
    assert "There is no group result here" in page.text
    assert "Quality of each run" in page.text
    assert page.sources == []


def test_a_subject_that_failed_is_named_on_top(results: Path):
    with (results / "excluded.tsv").open("a") as stream:
        stream.write("04\tn/a\tn/a\tn/a\tsubject\tn/a\t1\tfailed at the participant level\n")
    page = report_of(results)
    assert "sub-04 : failed" in page.text or "sub-04: failed" in page.text
    text = (results / "report.html").read_text()
    assert text.index('id="errors"') < text.index('id="summary"')


def test_nothing_that_survives_is_said_plainly(results: Path):
    (path,) = results.glob("group/*_tests.tsv")
    table = pd.read_csv(path, sep="\t")
    table.loc[table["contrast"] == "pumps", ["n_voxels", "n_clusters"]] = 0
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    page = report_of(results)
    assert "Nothing survives any test with error control. The strongest peak lies at" in page.text
    assert re.search(r"corrected p = 0\.\d+ \(permutationFWE\)", page.text)


def test_a_folder_without_results_is_refused(tmp_path: Path):
    text = call("report", tmp_path, status=3)
    assert "no results of twolevel" in text
    assert "give the OUTPUT_DIR of a run" in text

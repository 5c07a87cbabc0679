"""Publishing each subject when its workflow is done."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from twolevel.derivatives.publish import publish
from twolevel.derivatives.records import Publication
from twolevel.errors import DamagedError, OutputError, TransferError
from twolevel.notes import Note
from twolevel.tasks.fetch_runs import FetchRuns
from twolevel.tasks.handoff import load_exclusions
from twolevel.workflow.downloads import Downloads


@dataclass
class Outcome:
    """What came of a submission.

    Attributes
    ----------
    done : list of str
        Subjects (or ``group``) that were published.
    failed : dict of str to str
        The others, with their errors.
    files : list of Path
        What was published.
    notes : list of Note
        What a user should know although nothing failed.
    """

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


class SubjectPublisher:
    """Publishes each subject when its workflow is done, and has its images dropped.

    Parameters
    ----------
    level : type
        The workflow of a subject.
    planned : mapping of str to Publication
        The record of each subject, without files.
    overwrite : bool
        As for `publish`.

    Attributes
    ----------
    damaged : dict of str to Path
        Subjects of which a result in the work directory was not whole, and its folder.
    """

    def __init__(
        self,
        level: Any,
        output_dir: Path,
        planned: Mapping[str, Publication],
        downloads: Downloads | None,
        *,
        overwrite: bool,
    ) -> None:
        self.level, self.output_dir, self.planned = level, output_dir, planned
        self.downloads, self.overwrite = downloads, overwrite
        self.outcome = Outcome()
        self.damaged: dict[str, Path] = {}
        self._one = threading.Lock()

    def has_seen(self, subject: str) -> bool:
        """Tell whether a subject was published, or could not be."""
        return subject in self.outcome.done or subject in self.outcome.failed

    @property
    def n_downloads(self) -> int:
        """How many subjects may be downloaded at the same time."""
        return 0 if self.downloads is None else 1

    def slot(self, task: Any) -> AbstractAsyncContextManager[None] | None:
        """Return the turn of a download; other tasks wait for a process only."""
        if self.downloads is not None and isinstance(task, FetchRuns):
            return self.downloads.slot(task.subject)
        return None

    def release(self, task: Any) -> None:
        """Let another subject be downloaded."""
        if self.downloads is not None and type(task) is self.level:
            self.downloads.release(task.subject)

    def finish(self, task: Any, result: Any | None) -> None:
        """Publish a subject, then drop its images."""
        if type(task) is not self.level:
            return
        if result is None or result.errored or result.outputs is None:
            return
        with self._one:
            try:
                self._publish(task.subject, result.outputs)
            except DamagedError as error:
                self.damaged[task.subject] = error.tree
                return
            except (OSError, OutputError) as error:
                self.outcome.failed[task.subject] = f"its maps could not be published: {error}"
                return
        if self.downloads is not None:
            try:
                kept = self.downloads.drop(task.subject)
            except TransferError as error:
                self.outcome.notes.append(
                    Note("images not dropped", f"sub-{task.subject}", str(error))
                )
            else:
                for why in dict.fromkeys(kept.values()):
                    paths = [path for path, reason in kept.items() if reason == why]
                    self.outcome.notes.append(
                        Note(
                            f"images not dropped: {why}",
                            f"sub-{task.subject}",
                            f"{len(paths)}: {paths[0].name}{', ...' if len(paths) > 1 else ''}",
                        )
                    )

    def _publish(self, subject: str, outputs: Any) -> None:
        excluded = load_exclusions(Path(outputs.subject_maps))
        trees = [*outputs.designs, *outputs.maps, outputs.subject_maps]
        self.outcome.files += publish(
            [Path(tree) for tree in trees],
            self.output_dir,
            replace(self.planned[subject], excluded=tuple(excluded)),
            overwrite=self.overwrite,
        )
        self.outcome.done.append(subject)

"""What a run has done so far: counts, and as many lines as a person reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fixative.batch import FileResult
from fixative.pictures.naming import shown

#: So many results and failures are told one by one at the end.
MOST_ROWS = 100
_MOST_NAMES = 3
#: So many different notes are told apart; a note that names its picture is one of its own.
_MOST_NOTES = 100


@dataclass
class Note:
    """A remark, and the pictures that it is about.

    Attributes:
        count: how many they are.
        names: of the first.
    """

    count: int = 0
    names: list[str] = field(default_factory=list[str])


@dataclass
class Tally:
    """Grows with the pictures only up to what is told one by one.

    Attributes:
        protected: how many were protected.
        unchanged: how many had been before.
        failed: how many could not be.
        rows: the first of those that were protected.
        failures: the first lines that say why not.
        notes: what the person should know.
    """

    protected: int = 0
    unchanged: int = 0
    failed: int = 0
    rows: list[FileResult] = field(default_factory=list[FileResult])
    failures: list[str] = field(default_factory=list[str])
    notes: dict[str, Note] = field(default_factory=dict[str, Note])

    @property
    def count(self) -> int:
        """All pictures that something became of."""
        return self.protected + self.unchanged + self.failed

    def add_all(self, failures: Iterable[str], results: Iterable[FileResult]) -> Tally:
        """Add what failed before it was begun, then results; returns itself."""
        for line in failures:
            self._fail(line)
        for result in results:
            self.add(result)
        return self

    def add(self, result: FileResult) -> None:
        """Count a result."""
        if result.error is not None:
            self._fail(result.error)
        elif result.unchanged:
            self.unchanged += 1
        else:
            self.protected += 1
            if len(self.rows) < MOST_ROWS:
                self.rows.append(result)
        for text in result.warnings:
            self._note(text, result)

    def _fail(self, line: str) -> None:
        self.failed += 1
        if len(self.failures) < MOST_ROWS:
            self.failures.append(line)

    def _note(self, text: str, result: FileResult) -> None:
        if text not in self.notes and len(self.notes) >= _MOST_NOTES:
            return
        note = self.notes.setdefault(text, Note())
        note.count += 1
        if len(note.names) < _MOST_NAMES:
            note.names.append(shown(result.source.name))

"""The tables of an evaluation, once for the report and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fixative.evaluation.protocol import NONE
from fixative.evaluation.results import Damage, Effect, ProtectionResult, Results
from fixative.evaluation.statistics import Estimate
from fixative.evaluation.visual import PSNR, Measure

DASH = "–"


@dataclass(frozen=True)
class Column:
    """A column: its heading, and what it means in a sentence."""

    label: str
    help: str = ""


@dataclass(frozen=True)
class Entry:
    """A cell: what is read, what is sorted by (None goes last), and a remark."""

    text: str
    value: float | str | None = None
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: above it.
        columns: its headings.
        rows: as many entries each as there are columns.
        note: what to know to read it.
    """

    title: str
    columns: list[Column]
    rows: list[list[Entry]]
    note: str = ""


def all_tables(found: Results) -> list[Table]:
    """Worst cases, every countermeasure, damage to clean pictures; then what further codecs saw."""
    first, *others = found.codecs
    tables = [worst_table(found), pull_table(found, first), damage_table(found)]
    tables += [pull_table(found, codec, transfer=True) for codec in others]
    return [table for table in tables if table.rows]


def worst_table(found: Results) -> Table:
    """Each protection at its worst, the strongest first and there the weakest first."""
    codec = found.codecs[0]
    measures = [measure for measure in found.measures if not measure.missing]
    columns = [
        Column("protection"),
        Column("strength", "largest change of a colour value, in 1/255"),
        Column("worst pull", "left by the countermeasure that leaves the least; higher is better"),
        Column("worst countermeasure"),
        Column("pull", "without a countermeasure: 1 = the target reached, 0 = no effect"),
        Column("shift", "how far the latents moved, relative to their spread"),
        *(Column(measure.label, _direction(measure)) for measure in measures),
        Column("s", "seconds a picture"),
        Column("MB", "largest memory of the process meanwhile"),
        Column("largest", "change in any saved file, in 1/255"),
        Column("n", "pictures used of those asked for"),
    ]
    rows = [_worst_row(found, result, codec, measures) for result in by_worst(found, codec)]
    note = "Intervals are of a bootstrap over pictures. Worst cases first, by strength."
    return Table("Protections at their worst", columns, rows, note)


def by_worst(found: Results, codec: str) -> list[ProtectionResult]:
    """The strongest first, and of one strength the one of which the least is left."""

    def order(result: ProtectionResult) -> tuple[float, float]:
        worst = [worst.pull.value for worst in result.worst if worst.codec == codec]
        return -result.strength, worst[0] if worst else float("inf")

    return sorted(found.protections, key=order)


def pull_table(found: Results, codec: str, *, transfer: bool = False) -> Table:
    """What each countermeasure leaves of each protection, as pull in one codec."""
    names = list(dict.fromkeys(effect.countermeasure for effect in found.effects))
    rows: list[list[Entry]] = []
    for result in by_worst(found, found.codecs[0]):
        effects = [found.effect(result.protection, result.strength, name, codec) for name in names]
        lead = [
            Entry(result.protection, result.protection),
            _strength(result.strength),
            _count(result.used, result.asked),
        ]
        rows.append(lead + [_pull_entry(effect, result.used) for effect in effects])
    head = [
        Column("protection"),
        Column("strength", "in 1/255"),
        Column("n", "pictures used of those asked for"),
    ]
    title = f"Pull that is left, in {codec}"
    if transfer:
        title += ", which was not protected against"
    note = (
        "Beside the clean pictures through the same countermeasure (those that learn from known "
        "pairs: beside the clean pictures)."
    )
    columns = head + [Column("no countermeasure" if name == NONE else name) for name in names]
    return Table(title, columns, rows, note)


def damage_table(found: Results) -> Table:
    """What each countermeasure does to clean pictures, and what it costs."""
    codec = found.codecs[0]
    measures = [measure for measure in found.measures if not measure.missing]
    columns = [
        Column("countermeasure"),
        *(Column(measure.label, _direction(measure)) for measure in measures),
        Column("shift", f"of the clean latents in {codec}"),
        Column("s", "seconds a picture"),
        Column("MB", "largest memory of the process meanwhile"),
        Column("n", "pictures used of those asked for"),
    ]
    rows = [list(_damage_row(damage, codec, measures)) for damage in found.damages]
    return Table("What countermeasures do to clean pictures", columns, rows)


def estimate(found: Estimate | None, digits: int, *, note: str = "") -> Entry:
    """``0.12 (0.10 to 0.15)``."""
    if found is None:
        return Entry(DASH, None, note)
    text = signed(found.value, digits)
    if found.low is not None and found.high is not None:
        text += f" ({signed(found.low, digits)} to {signed(found.high, digits)})"
    return Entry(text, found.value, note)


def _worst_row(
    found: Results, result: ProtectionResult, codec: str, measures: Sequence[Measure]
) -> list[Entry]:
    worst = next((worst for worst in result.worst if worst.codec == codec), None)
    alone = found.effect(result.protection, result.strength, NONE, codec)
    name = DASH if worst is None else worst.countermeasure
    return [
        Entry(result.protection, result.protection, result.note),
        _strength(result.strength),
        estimate(None if worst is None else worst.pull, 2),
        Entry("none does" if name == NONE else name, name),
        estimate(None if alone is None else alone.pull, 2),
        plain(None if alone is None else alone.shift, 2),
        *(plain(result.visual.get(m.name), _digits(m)) for m in measures),
        plain(result.seconds, 1),
        _number(result.peak_mb, 0),
        _largest(result),
        _count(result.used, result.asked),
    ]


def _damage_row(damage: Damage, codec: str, measures: Sequence[Measure]) -> Iterator[Entry]:
    yield Entry(damage.countermeasure, damage.countermeasure, damage.note)
    for measure in measures:
        yield plain(damage.visual.get(measure.name), _digits(measure))
    yield plain(damage.shift.get(codec), 3)
    yield plain(damage.seconds, 2)
    yield _number(damage.peak_mb, 0)
    yield _count(damage.used, damage.asked)


def _pull_entry(effect: Effect | None, usual: int) -> Entry:
    """``usual`` is the number of pictures that need not be told."""
    if effect is None:
        return Entry("")
    if effect.pull is None:
        return Entry("not run" if effect.note else DASH, None, effect.note)
    share = effect.survival
    left = "" if share is None or effect.countermeasure == NONE else _left(share.value)
    count = "" if effect.used == usual else f"n = {_count(effect.used, effect.asked).text}"
    note = "; ".join(part for part in (left, count, effect.note) if part)
    return estimate(effect.pull, 2, note=note)


def _left(share: float) -> str:
    return f"{share:.0%} left" if share >= 0.005 else "nothing left"


def _largest(result: ProtectionResult) -> Entry:
    if result.largest is None:
        return Entry(DASH)
    kept = "" if result.budget_kept else " (over the budget)"
    return Entry(f"{result.largest}{kept}", result.largest)


def _strength(strength: float) -> Entry:
    return Entry(f"{strength:g}", strength)


def plain(found: Estimate | None, digits: int) -> Entry:
    """The value alone; its interval as the remark."""
    if found is None:
        return Entry(DASH)
    ends = [end for end in (found.low, found.high) if end is not None]
    note = " to ".join(signed(end, digits) for end in ends) if len(ends) == 2 else ""
    return Entry(signed(found.value, digits), found.value, note)


def _number(value: float | None, digits: int) -> Entry:
    return Entry(DASH) if value is None else Entry(signed(value, digits), value)


def signed(value: float, digits: int) -> str:
    """With a real minus, and none before a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _count(used: int, asked: int) -> Entry:
    return Entry(str(used) if used == asked else f"{used} of {asked}", used)


def _digits(measure: Measure) -> int:
    return 1 if measure.name == PSNR else 3


def _direction(measure: Measure) -> str:
    return f"{measure.better} = less visible"

"""The tables of a mimicry test, once for the report and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from fixative.evaluation.statistics import Estimate
from fixative.evaluation.tables import DASH, Column, Entry, Table, estimate, plain, signed
from fixative.evaluation.visual import PSNR
from fixative.mimicry.arms import Role
from fixative.mimicry.measures import Spread
from fixative.mimicry.results import ALL, ArmResult, Closeness, EditResult, MimicryResults

_ARM_COLUMNS = [
    Column("what the imitator saw"),
    Column("imitation %", "0 = as the model without a LoRA, 100 = as a LoRA on the clean pictures"),
    Column("distance", "energy distance to the originals; lower is closer"),
    Column("KID", "kernel inception distance to the originals; lower is closer"),
    Column("nearest", "mean cosine to the nearest original; higher is closer"),
    Column("similarity", "mean cosine to all originals; higher is closer"),
    Column("LPIPS", "of each sample to the nearest original; lower is closer"),
    Column("p: clean", "chance of so large a difference to the clean arm, were there none"),
    Column("p: no LoRA", "likewise to what the model draws without a LoRA"),
    Column("loss", "of the last tenth of the training"),
    Column("n", "imitators"),
]
_NOTE = (
    "Intervals are of a bootstrap over imitators (set and seed); KID ± its standard deviation over "
    "random halves of the samples; p of randomisation tests of the energy distance: to the clean "
    "arm whole imitators change sides (another seed gives another LoRA; told of six pairs or "
    "more), to no LoRA single samples."
)


def all_tables(found: MimicryResults) -> list[Table]:
    """Over all sets first, then each set; then edits, then further features."""
    names = _names(found)
    tables = [arm_table(found, name) for name in names]
    tables += [edit_table(found, name) for name in names if found.edits]
    others = range(1, len(found.tools["features"]))
    tables += [other_table(found, names[0], number) for number in others if names]
    return [table for table in tables if table.rows]


def arm_table(found: MimicryResults, name: str) -> Table:
    """Every arm of one set, or over all."""
    space = found.tools["features"][0]["name"]
    title = f"How close imitators come: {name} (features: {space})"
    note = f"Imitation by {found.tools['imitation by']}. {_NOTE}"
    return Table(title, _ARM_COLUMNS, [_arm_row(result) for result in found.of(name)], note)


def other_table(found: MimicryResults, name: str, number: int) -> Table:
    """The same in another feature space."""
    columns = [_ARM_COLUMNS[0], *_ARM_COLUMNS[2:6], *_ARM_COLUMNS[7:9]]
    space = found.tools["features"][number]["name"]
    rows = [
        [_name(result), *_closeness(result.closeness[number])]
        for result in found.of(name)
        if number < len(result.closeness)
    ]
    return Table(f"The same in other features: {name} ({space})", columns, rows)


def edit_table(found: MimicryResults, name: str) -> Table:
    """How much edits differ from those of the clean pictures."""
    measures = [measure for measure in found.edit_measures if not measure.missing]
    columns = [
        Column("what was edited"),
        *(Column(m.label, f"{m.better} = more like the edit of the clean one") for m in measures),
        Column("features", "1 − cosine in the features that the verdict goes by; lower is alike"),
        Column("n", "pictures"),
    ]

    def row(edit: EditResult) -> list[Entry]:
        seen = [plain(edit.visual.get(m.name), 1 if m.name == PSNR else 3) for m in measures]
        count = Entry(str(edit.used), edit.used)
        return [Entry(edit.arm, edit.arm), *seen, plain(edit.features, 3), count]

    rows = [row(edit) for edit in found.edits if edit.set == name]
    note = (
        "Each beside the edit of the clean picture with the same noise; the control is the clean "
        "picture edited with other noise: two edits differ so much by chance."
    )
    return Table(f"Edits by img2img: {name}", columns, rows, note)


def _arm_row(result: ArmResult) -> list[Entry]:
    main = result.main
    cells = _closeness(main) if main else [Entry(DASH)] * 6
    distance, kid, nearest, similarity, p_clean, p_none = cells
    return [
        _name(result),
        _percent(result),
        distance,
        kid,
        nearest,
        similarity,
        plain(result.lpips, 3),
        p_clean,
        p_none,
        _number(result.loss, 3),
        Entry(str(result.used), result.used, result.note),
    ]


def _closeness(found: Closeness) -> list[Entry]:
    return [
        plain(found.distance, 3),
        _spread(found.kid),
        plain(found.nearest, 3),
        plain(found.similarity, 3),
        _number(found.p_clean, 3),
        _number(found.p_none, 3),
    ]


def _name(result: ArmResult) -> Entry:
    labels = {
        Role.NONE.value: "no LoRA",
        Role.CLEAN.value: "clean pictures",
        Role.CONTROL.value: "clean pictures, other seed (control)",
        Role.NOISE.value: "noise of the same budget",
        Role.BASELINE.value: f"{result.arm} (baseline)",
    }
    return Entry(labels.get(result.role, result.arm), result.arm)


def _percent(result: ArmResult) -> Entry:
    fixed = {Role.NONE.value: "0", Role.CLEAN.value: "100"}
    if result.role in fixed:
        return Entry(fixed[result.role], float(fixed[result.role]), "by definition")
    found = result.imitation
    if found is None:
        return Entry(DASH)
    ends = [None if end is None else 100 * end for end in (found.low, found.high)]
    return estimate(Estimate(100 * found.value, ends[0], ends[1], found.n), 0)


def _spread(found: Spread) -> Entry:
    return Entry(f"{signed(found.value, 3)} ± {signed(found.spread, 3)}", found.value)


def _number(value: float | None, digits: int) -> Entry:
    return Entry(DASH) if value is None else Entry(signed(value, digits), value)


def _names(found: MimicryResults) -> Sequence[str]:
    names = [one.name for one in found.sets if found.of(one.name)]
    return [ALL, *names] if len(found.sets) > 1 and names else names

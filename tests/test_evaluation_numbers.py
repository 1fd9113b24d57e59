"""The numbers of an evaluation, computed again with NumPy and Pillow from the files it wrote."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.evaluation import CountermeasureEntry, Results
from fixative.evaluation.aggregate import worst_case
from fixative.evaluation.bench import Bench
from fixative.evaluation.curves import MOST_POINTS, loss_curve
from fixative.evaluation.files import Files
from fixative.evaluation.goals import Goals, aim_of
from fixative.evaluation.rows import Row
from fixative.evaluation.statistics import Bootstrap
from fixative.evaluation.subjects import cut
from fixative.evaluation.visual import DISTS, PSNR, SSIM, Visual
from fixative.perceptual.distance import LearnedDistance
from fixative.training.targets import draw_targets
from tests.engine_parts import drawn_picture
from tests.evaluation_parts import PICTURES, TOY, protocol, run_toy, toy_tools

Array = Any


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    """The toy evaluation; its files are below the path."""
    out = tmp_path_factory.mktemp("toy")
    return run_toy(out), out


def row(found: Results, *key: object) -> Row:
    return next(row for row in found.rows if row.key == key)


def levels(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("RGB")).astype(np.float64)


def window(pixels: Array, side: int = 48) -> Array:
    """The centre square; it begins at a multiple of 8."""
    top, left = ((length - side) // 2 // 8 * 8 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def latents(pixels: Array) -> Array:
    """Means of 8 × 8 cells, as the toy codec has them."""
    height, width, _ = pixels.shape
    cells = pixels.reshape(height // 8, 8, width // 8, 8, 3).mean((1, 3)) / 255
    return cells * 4 - 2


def pull(after: Array, before: Array, goal: Array) -> float:
    return 1 - ((after - goal) ** 2).sum() / ((before - goal) ** 2).sum()


def jpeg(pixels: Array) -> Array:
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels.astype(np.uint8))
    picture.save(buffer, "JPEG", quality=75, subsampling="4:2:0")
    return np.asarray(Image.open(buffer).convert("RGB")).astype(np.float64)


def test_pull_and_shift_before_and_after(run: tuple[Results, Path]) -> None:
    found, out = run
    for number, image in enumerate(PICTURES, 1):
        clean = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.float64)
        alone = row(found, f"picture {number}", "PGD", 8.0, "none")
        assert alone.file is not None
        protected = levels(out / alone.file)
        goal = latents(window(pattern(*clean.shape[:2])))
        before, after = latents(window(clean)), latents(window(protected))
        latent = alone.latent["toy"]
        assert latent.pull == pytest.approx(pull(after, before, goal), abs=1e-5)
        assert latent.pull is not None
        assert latent.pull > 0.02
        # The toy codec's fourth channel is zero, so that it adds nothing to the spread.
        spread = ((before - before.mean((0, 1))) ** 2).sum()
        expected = ((after - before) ** 2).sum() / spread
        assert latent.shift == pytest.approx(expected, rel=1e-4)
        then = row(found, f"picture {number}", "PGD", 8.0, "jpeg:75").latent["toy"]
        purified, reference = (latents(window(jpeg(p))) for p in (protected, clean))
        assert then.pull == pytest.approx(pull(purified, reference, goal), abs=1e-5)
        assert then.pull_original == pytest.approx(pull(purified, before, goal), abs=1e-5)
        assert then.pull_before == latent.pull
        assert then.pull != then.pull_original


def pattern(height: int, width: int) -> Array:
    """The ``low`` target at the picture's size and its own scale, in levels."""
    low = draw_targets()[0].permute(1, 2, 0).numpy().astype(np.float64)
    return low[:height, :width] * 255


def test_budgets_are_those_of_the_files(run: tuple[Results, Path]) -> None:
    found, out = run
    for number, image in enumerate(PICTURES, 1):
        clean = (image[0].permute(1, 2, 0).numpy() * 255).round()
        for protection in ("noise", "PGD"):
            for strength in (4.0, 8.0):
                alone = row(found, f"picture {number}", protection, strength, "none")
                assert alone.file is not None
                assert alone.budget is not None
                change = np.abs(levels(out / alone.file) - clean)
                assert alone.budget.largest == change.max() <= strength
                assert alone.budget.mean == pytest.approx(change.mean())
                assert alone.budget.kept
    noise = [result for result in found.protections if result.protection == "noise"]
    assert [result.largest for result in noise] == [4, 8]


def test_what_is_seen(run: tuple[Results, Path]) -> None:
    found, out = run
    alone = row(found, "picture 2", "noise", 8.0, "none")
    assert alone.file is not None
    clean = window((PICTURES[1][0].permute(1, 2, 0).numpy() * 255).round())
    error = ((window(levels(out / alone.file)) - clean) ** 2).mean()
    assert alone.visual[PSNR] == pytest.approx(10 * math.log10(255**2 / error), abs=1e-3)
    structure = alone.visual[SSIM]
    assert structure is not None
    assert 0.5 < structure < 0.99
    seen = {measure.name: measure for measure in found.measures}
    assert seen[DISTS].missing
    assert seen["learned"].better == "lower"
    assert DISTS not in alone.visual


def test_equal_pictures_have_no_distance() -> None:
    image = drawn_picture(64, 64)
    same = Visual(LearnedDistance()).compare(image, image)
    assert same[PSNR] is None
    assert same[SSIM] == pytest.approx(1)
    assert same["learned"] == pytest.approx(0, abs=1e-6)
    assert Visual(LearnedDistance()).compare(image[..., :8, :8], image[..., :8, :8])[SSIM] is None


def test_means_and_worst_cases(run: tuple[Results, Path]) -> None:
    found, _ = run
    effect = found.effect("PGD", 8.0, "jpeg:75", "toy")
    assert effect is not None
    assert effect.pull is not None
    assert effect.survival is not None
    rows = [row(found, f"picture {n}", "PGD", 8.0, "jpeg:75").latent["toy"] for n in (1, 2)]
    after = [latent.pull or 0.0 for latent in rows]
    before = [latent.pull_before or 0.0 for latent in rows]
    assert effect.pull.value == pytest.approx(sum(after) / 2)
    assert effect.survival.value == pytest.approx(sum(after) / sum(before))
    assert (effect.asked, effect.used, effect.pull.n) == (2, 2, 2)
    pulls = {name: found.effect("PGD", 8.0, name, "toy") for name in ("none", "jpeg:75", "chain")}
    least = min(pulls, key=lambda name: value(pulls[name]))
    worst = worst_case(found.effects, "PGD", 8.0, "toy")
    assert worst is not None
    assert worst.countermeasure == least
    assert found.protections[-1].worst == [worst]
    chain = pulls["chain"]
    assert chain is not None
    assert chain.asked == 1, "the protocol asks for one picture only"


def value(effect: Any) -> float:
    return effect.pull.value


def test_damage_is_of_clean_pictures(run: tuple[Results, Path]) -> None:
    found, _ = run
    damage = next(one for one in found.damages if one.countermeasure == "jpeg:75")
    clean = [(image[0].permute(1, 2, 0).numpy() * 255).round() for image in PICTURES]
    errors = [((window(jpeg(one)) - window(one)) ** 2).mean() for one in clean]
    expected = np.mean([10 * math.log10(255**2 / error) for error in errors])
    assert damage.visual[PSNR].value == pytest.approx(expected, abs=1e-3)
    assert damage.shift["toy"].value > 0


def test_the_bootstrap_is_seeded_and_covers_the_mean() -> None:
    values = [0.1, 0.2, 0.4, 0.9, 0.3]
    first = Bootstrap(500, 0.95, 3).mean(values)
    assert first == Bootstrap(500, 0.95, 3).mean(values)
    assert first != Bootstrap(500, 0.95, 4).mean(values)
    assert first is not None
    assert first.low is not None
    assert first.high is not None
    assert min(values) <= first.low < first.value < first.high <= max(values)
    picks = np.random.default_rng(3).integers(5, size=(500, 5))
    means = np.sort(np.array(values)[picks].mean(1))
    assert first.low == pytest.approx(means[math.ceil(0.025 * 500) - 1])
    assert first.high == pytest.approx(means[math.ceil(0.975 * 500) - 1])


def test_a_bootstrap_of_little() -> None:
    assert Bootstrap().mean([]) is None
    one = Bootstrap().mean([0.5])
    assert one is not None
    assert (one.value, one.low, one.high, one.n) == (0.5, None, None, 1)
    assert Bootstrap().ratio([0.1], [0.0]) is None
    wide = Bootstrap(200).ratio([1.0, 1.0], [0.5, -0.3])
    assert wide is not None
    assert wide.high is None, "where the mean below may be negative there is no upper end"


def test_what_each_method_aims_at() -> None:
    aims = {
        "mixture": ("auto", True),
        "mixture:target=high": ("high", True),
        "universal": ("mid", True),
        "photoguard": ("auto", False),
        "photoguard:goal=zero": ("zero", False),
        "mist": ("pattern", False),
        "glaze": ("style", False),
        "noise": ("auto", False),
    }
    for method, expected in aims.items():
        aim = aim_of(method)
        assert (aim.target, aim.stretched) == expected, method


def test_windows_are_centred_and_on_cells() -> None:
    image = torch.arange(100.0 * 90).reshape(1, 1, 100, 90)
    assert torch.equal(cut(image, 48), image[..., 24:72, 16:64])
    assert torch.equal(cut(image, 95), image[..., 0:95, :])
    assert cut(image, None) is not image
    assert torch.equal(cut(image, None), image)


def test_windows_of_countermeasures_lie_in_the_protocols() -> None:
    image = drawn_picture(130, 150)
    tools = toy_tools()
    bench = Bench(image, protocol(), tools, Goals(tools.codec, None))  # a window of 48
    small, large = (CountermeasureEntry("tv", "tv", window=side) for side in (20, 100))
    whole = CountermeasureEntry("tv", "tv")
    seen = bench.seen("window")
    assert seen.shape[-2:] == (48, 48)
    assert bench.sees_alike(small)
    assert torch.equal(bench.given(image, small), bench.given(seen, small))
    assert torch.equal(bench.given(image, small), cut(cut(image, 48), 20))
    assert torch.equal(bench.given(image, large), cut(image, 100))
    assert torch.equal(bench.given(image, whole), image)
    assert not bench.sees_alike(large)
    assert bench.windows(whole)[-1] == 48


def test_a_protection_that_sees_the_window_changes_nothing_else(tmp_path: Path) -> None:
    text = TOY.replace("name: PGD}", "name: PGD, sees: window}")
    found = run_toy(tmp_path, text=text, pictures=[PICTURES[1]])
    assert not found.failures
    alone = row(found, "picture 1", "PGD", 8.0, "none")
    assert alone.file is not None
    assert Image.open(tmp_path / alone.file).size == (48, 48)
    clean = window((PICTURES[1][0].permute(1, 2, 0).numpy() * 255).round())
    change = np.abs(levels(tmp_path / alone.file) - clean)
    assert 0 < change.max() <= 8
    then = row(found, "picture 1", "PGD", 8.0, "jpeg:75").latent["toy"]
    goal = latents(pattern(48, 48))
    after, before = (latents(jpeg(p)) for p in (levels(tmp_path / alone.file), clean))
    assert then.pull == pytest.approx(pull(after, before, goal), abs=1e-5)


def test_long_curves_are_thinned() -> None:
    losses = [{"loss": 1 / (step + 1)} for step in range(3001)]
    curve = loss_curve({"losses": losses})
    assert len(curve["step"]) == len(curve["loss"]) == MOST_POINTS
    assert (curve["step"][0], curve["step"][-1]) == (0, 3000)
    assert loss_curve({"links": [{"name": "jpeg"}, {"losses": losses[:3]}]})["step"] == [0, 1, 2]
    assert loss_curve({"bytes": 3}) == {}


def test_files_of_different_cells_have_different_names(tmp_path: Path) -> None:
    files = Files(tmp_path)
    names = {
        files.name((picture, protection, 8.0, "none"), sees="picture")
        for picture in ("a/b.png", "a-b.png", "ä" * 300)
        for protection in ("a:b", "a-b", "a b")
    }
    assert len(names) == 9
    assert all(len(part) < 100 and part.isascii() for name in names for part in name.split("/"))

"""What each countermeasure does, in cases small enough to know the answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fixative.countermeasures import RoundTrip, make_countermeasure
from fixative.countermeasures.base import Outcome, PurifyStep, StepCallback
from fixative.countermeasures.tiled import TiledCountermeasure, blend, cut
from fixative.errors import CodecError
from tests.engine_parts import drawn_picture, random_codec


def purified(text: str, image: Tensor) -> Tensor:
    return make_countermeasure(text).purify(image).image


def levels(*values: float) -> Tensor:
    """One row of grey pixels, in 1/255."""
    return torch.tensor(values).expand(1, 3, 1, -1) / 255


def rows(image: Tensor) -> list[int]:
    return (image[0, 0, 0] * 255).round().int().tolist()


def test_noise_has_the_asked_deviation_and_other_values_a_channel() -> None:
    grey = torch.full((1, 3, 64, 64), 128 / 255)
    change = purified("noise:0.05", grey) - grey
    assert change.std().item() == pytest.approx(0.05, rel=0.05)
    assert abs(change.mean().item()) < 0.002
    assert not torch.equal(change[:, 0], change[:, 1])


def test_jpeg_keeps_grey_and_worse_quality_is_smaller_and_further_off() -> None:
    grey = levels(*[128] * 16).expand(-1, -1, 16, -1)
    assert torch.equal(purified("jpeg:95", grey), grey)
    image = drawn_picture(64, 64)
    good, bad = (make_countermeasure(f"jpeg:{quality}").purify(image) for quality in (90, 15))
    assert bad.details[0]["bytes"] < good.details[0]["bytes"] / 2
    assert (bad.image - image).abs().mean() > 1.2 * (good.image - image).abs().mean()


def test_bit_depth_by_hand() -> None:
    assert rows(purified("bits:1", levels(0, 127, 128, 255))) == [0, 0, 255, 255]
    assert rows(purified("bits:2", levels(0, 42, 43, 127, 128, 250))) == [0, 0, 85, 85, 170, 255]
    assert rows(purified("bits:8", levels(0, 42, 255))) == [0, 42, 255]


def test_median_takes_a_lone_pixel_away() -> None:
    image = torch.full((1, 3, 5, 5), 0.2)
    image[..., 2, 2] = 1
    assert torch.equal(purified("median:3", image), torch.full((1, 3, 5, 5), 51 / 255))


def test_resize_smooths_stripes_and_keeps_flat_places() -> None:
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[..., ::2] = 1
    inner = purified("resize:0.5", stripes)[..., 8:-8]
    assert inner.std() < 0.05
    flat = torch.full((1, 3, 20, 30), 0.4)
    assert torch.equal(purified("resize:0.3", flat), flat)
    image = drawn_picture(20, 30)
    assert torch.equal(purified("resize:1", image), image)


def test_crop_enlarges_its_window() -> None:
    image = drawn_picture(40, 60)
    result = make_countermeasure("crop:0.5", seed=1).purify(image)
    left, top, right, bottom = result.details[0]["window"]
    assert (right - left, bottom - top) == (30, 20)
    assert 0 <= left <= 30
    assert 0 <= top <= 20
    # Every other pixel of the enlarged window is near one of the window itself.
    window = image[..., top:bottom, left:right]
    near = torch.nn.functional.avg_pool2d(result.image, 2)
    assert (near - window).abs().mean() < 0.25 * (near - image[..., :20, :30]).abs().mean()
    assert torch.equal(purified("crop:1", image), image)


def total_variation(image: Tensor) -> float:
    return (image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean()).item()


@pytest.mark.parametrize(
    ("text", "module", "left"), [("tv:0.1", "skimage", 0.2), ("adverse", "cv2", 0.2)]
)
def test_filters_take_noise_off_and_keep_an_edge(text: str, module: str, left: float) -> None:
    pytest.importorskip(module)
    edge = torch.full((1, 3, 48, 48), 0.3)
    edge[..., 24:] = 0.7
    coins = torch.randint(0, 2, edge.shape, generator=torch.Generator().manual_seed(0))
    noisy = edge + (coins * 2 - 1) * 8 / 255
    clean = purified(text, noisy)
    away = (clean - edge).square().mean().sqrt() / (noisy - edge).square().mean().sqrt()
    assert away < 0.5
    steps = clean[..., 28:].mean() - clean[..., :20].mean()
    assert steps.item() == pytest.approx(0.4, abs=0.03)
    smooth = total_variation(clean[..., :20]) / total_variation(noisy[..., :20])
    assert smooth < left


def test_a_round_trip_is_the_codecs() -> None:
    codec, image = random_codec(), drawn_picture(33, 47)
    with torch.no_grad():
        expected = codec.reconstruct(image).clamp(0, 1)
    result = RoundTrip(codec).purify(image)
    torch.testing.assert_close(result.image, expected, rtol=0, atol=0.51 / 255)
    assert result.details == [{"codec": "random0", "tiles": 1}]


# --- tiles --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(100, 64), (65, 200), (128, 129), (64, 64)])
def test_tiles_cover_the_picture_and_blend_back_to_it(height: int, width: int) -> None:
    image = drawn_picture(height, width)
    pieces = cut(height, width, side=64, overlap=16)
    torch.testing.assert_close(blend(image, pieces, lambda tile: tile), image)
    sizes = {(p.rows.stop - p.rows.start, p.columns.stop - p.columns.start) for p in pieces}
    assert sizes == {(min(height, 64), min(width, 64))}
    assert len(pieces) == -(-(height - 16) // 48) * -(-(width - 16) // 48)


def test_neighbours_go_over_into_one_another() -> None:
    pieces = cut(1, 112, side=64, overlap=16)
    values = iter([0.0, 1.0])
    found = blend(torch.zeros(1, 3, 1, 112), pieces, lambda tile: tile + next(values))[0, 0, 0]
    assert (found[:48] == 0).all()
    assert (found[64:] == 1).all()
    assert (found[48:64].diff() > 0).all()
    assert found.diff().max() < 0.1


class Inverted(TiledCountermeasure):
    """Fails on tiles above a size, as a device does that runs out of memory."""

    name = "inverted"
    fits = 10_000

    def _purify_tile(
        self, tile: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator
        if max(tile.shape[-2:]) > self.fits:
            raise MemoryError("no more")
        if on_step is not None:
            on_step(PurifyStep(0, 1, 2, {}))
        return 1 - tile, {"seen": list(tile.shape[-2:])}


def inverted(fits: int, tile: int = 512) -> Inverted:
    method = Inverted(tile=tile, out_of_memory=(MemoryError,))
    method.fits = fits
    return method


@pytest.mark.parametrize(
    ("fits", "tiles", "seen"),
    [(600, 1, [300, 520]), (520, 1, [300, 520]), (512, 2, [300, 512]), (300, 6, [256, 256])],
)
def test_out_of_memory_goes_on_with_smaller_tiles(fits: int, tiles: int, seen: list[int]) -> None:
    image = drawn_picture(300, 520)
    result = inverted(fits, 512 if fits == 512 else 600).purify(image)
    torch.testing.assert_close(result.image, 1 - image)
    assert result.details == [{"seen": seen, "tiles": tiles}]


def test_out_of_memory_on_the_smallest_tiles_is_told() -> None:
    with pytest.raises(CodecError, match=r"inverted: out of memory .*no more"):
        inverted(100).purify(drawn_picture(300, 300))


def test_steps_are_counted_over_all_tiles_and_pictures() -> None:
    told: list[PurifyStep] = []
    tell: Callable[[PurifyStep], None] = told.append
    inverted(10_000, tile=128).purify(drawn_picture(128, 150).repeat(2, 1, 1, 1), on_step=tell)
    assert [(step.picture, step.step, step.steps) for step in told] == [
        (0, 1, 4),
        (0, 3, 4),
        (1, 1, 4),
        (1, 3, 4),
    ]

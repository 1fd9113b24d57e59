"""Between the host's layouts and the engine's."""

from __future__ import annotations

import pytest
import torch

from fixative.errors import ImageError
from nodes.convert import (
    difference_image,
    join_alpha,
    map_to_mask,
    mask_to_engine,
    split_alpha,
    to_pil,
)


@pytest.mark.parametrize("channels", [3, 4])
def test_there_and_back_is_the_same(channels: int) -> None:
    image = torch.rand(2, 5, 7, channels)
    colour, alpha = split_alpha(image)
    assert colour.shape == (2, 3, 5, 7)
    assert torch.equal(colour[1, 2], image[1, ..., 2])
    assert (alpha is None) is (channels == 3)
    assert torch.equal(join_alpha(colour, alpha), image)


def test_half_precision_and_values_outside_are_mended_without_touching_the_input() -> None:
    image = torch.tensor([-0.5, 0.25, 1.5]).reshape(1, 1, 1, 3).half()
    kept = image.clone()
    colour, _ = split_alpha(image)
    assert colour.dtype == torch.float32
    assert colour.flatten().tolist() == [0, 0.25, 1]
    assert torch.equal(image, kept)


@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 4, 4, 1), (1, 3, 4, 4, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="image: expected"):
        split_alpha(torch.rand(shape))


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 6), (3, 4, 6), (3, 8, 12)])
def test_a_mask_is_resized_and_spread(shape: tuple[int, ...]) -> None:
    mask = torch.zeros(shape)
    mask[..., : shape[-1] // 2] = 1
    fitted = mask_to_engine(mask, torch.rand(3, 3, 4, 6))
    assert fitted.shape == (3, 1, 4, 6)
    assert fitted[2, 0, :, 0].tolist() == [1, 1, 1, 1]
    assert fitted[2, 0, :, 5].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("shape", [(2, 4, 6), (1, 1, 4, 6)])
def test_a_mask_of_another_batch_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="one for each of the 3 pictures"):
        mask_to_engine(torch.rand(shape), torch.rand(3, 3, 4, 6))


def test_the_map_carries_the_very_factors() -> None:
    factors = torch.tensor([0.0, 0.91, 1.0, 1.183]).reshape(1, 1, 2, 2)
    assert torch.equal(map_to_mask(factors), factors[:, 0])


def test_the_difference_is_tenfold_around_grey() -> None:
    change = torch.tensor([0.0, 0.01, -0.1]).reshape(1, 3, 1, 1)
    found = difference_image(change).flatten().tolist()
    assert found == pytest.approx([0.5, 0.6, 0.0])


def test_a_preview_has_the_same_levels() -> None:
    levels = torch.arange(6).reshape(3, 1, 2)
    picture = to_pil(levels / 255)
    assert picture.size == (2, 1)
    assert picture.getpixel((1, 0)) == (1, 3, 5)

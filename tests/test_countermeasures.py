"""One contract for every countermeasure, and small cases by hand."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from fixative.codecs import TinyCodec
from fixative.codecs.tiny import tiny_encoder
from fixative.countermeasures import (
    COUNTERMEASURES,
    Chain,
    Countermeasure,
    Impress,
    Remover,
    Resources,
    SharedPerturbations,
    make_countermeasure,
    needed_resources,
)
from fixative.countermeasures.averaging import quantised
from fixative.countermeasures.remover_network import random_remover
from fixative.errors import CodecError, ImageError, SettingError
from fixative.images import resize
from fixative.perceptual.distance import LearnedDistance
from tests.engine_parts import drawn_picture, random_codec
from tests.toy_denoisers import ToyDenoiser

#: One row a countermeasure; what it does here must change the picture.
ROWS = {
    "noise": "noise:0.05",
    "jpeg": "jpeg:40",
    "resize": "resize:0.5",
    "crop": "crop:0.8",
    "bits": "bits:3",
    "median": "median:3",
    "tv": "tv:0.1",
    "adverse": "adverse",
    "roundtrip": "roundtrip",
    "impress": "impress:fast,steps=2",
    "img2img": "img2img:0.3,steps=2",
    "diffpure": "diffpure:20",
    "gridpure": "gridpure:2,t=2",
    "average": "average:4",
    "remover": "remover",
}
CHAIN = "jpeg:75+resize:0.5"
TEXTS = [*ROWS.values(), CHAIN]
NEEDING = [name for name, kind in COUNTERMEASURES.items() if kind.resources]
OPTIONAL = {"tv": "skimage", "adverse": "cv2"}


@cache
def shared() -> SharedPerturbations:
    generator = torch.Generator().manual_seed(5)
    coarse = torch.randn(2, 3, 32, 32, generator=generator).clamp(-2, 2) * 6 / 255
    return quantised(resize(coarse, 512, 512), torch.tensor([3, 2]))


@cache
def resources() -> Resources:
    network = random_remover(1)
    torch.nn.init.normal_(network.exit.weight, 0, 0.5, generator=torch.Generator().manual_seed(2))
    remover = Remover(network.eval().requires_grad_(False))
    return Resources(random_codec(), LearnedDistance(), shared(), remover, ToyDenoiser())


def make(text: str, *, seed: int = 0) -> Countermeasure:
    for name, module in OPTIONAL.items():
        if text.startswith(name):
            pytest.importorskip(module)
    return make_countermeasure(text, resources(), seed=seed)


def picture(height: int, width: int, *, seed: int = 0) -> Tensor:
    """With a shared perturbation in it, so that every row has something to do."""
    clean = drawn_picture(height, width, seed=seed)
    found = (clean + shared().perturbation(0, height, width)).clamp(0, 1)
    return (found * 255).round() / 255


def test_the_table_has_every_countermeasure() -> None:
    assert list(ROWS) == list(COUNTERMEASURES)


@pytest.mark.parametrize("text", TEXTS)
def test_shape_type_range_grid_and_input_hold(text: str) -> None:
    before = picture(96, 128)
    kept = before.clone()
    result = make(text).purify(before)
    image = result.image
    assert torch.equal(before, kept)
    assert image.shape == before.shape
    assert image.dtype == torch.float32
    assert image.min() >= 0
    assert image.max() <= 1
    torch.testing.assert_close(image * 255, (image * 255).round(), rtol=0, atol=1e-4)
    assert (image - before).abs().max() > 1 / 255
    assert len(result.details) == 1
    json.dumps(result.details)


@pytest.mark.parametrize("text", TEXTS)
def test_same_seed_same_bits_and_a_batch_equals_its_singles(text: str) -> None:
    a, b = picture(33, 47, seed=1), picture(33, 47, seed=2)
    both = make(text).purify(torch.cat([a, b])).image
    again = make(text)
    assert torch.equal(both, again.purify(torch.cat([a, b])).image)
    assert torch.equal(both[:1], again.purify(a).image)
    assert torch.equal(both[1:], again.purify(b).image)


@pytest.mark.parametrize(
    "text",
    [
        "noise:0.05",
        "crop:0.8",
        "impress:photoguard,steps=1",
        "img2img:0.3,steps=2",
        "diffpure:20",
        "gridpure:2,t=2",
    ],
)
def test_another_seed_gives_other_bits(text: str) -> None:
    before = picture(33, 47)
    images = [make(text, seed=seed).purify(before).image for seed in (0, 1)]
    assert not torch.equal(*images)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7)])
def test_tiny_pictures_pass(text: str, height: int, width: int) -> None:
    before = drawn_picture(height, width)
    assert make(text).purify(before).image.shape == before.shape


@pytest.mark.parametrize("text", TEXTS)
def test_the_description_reads_back(text: str) -> None:
    first = make(text)
    again = make(first.describe())
    assert again.describe() == first.describe()
    before = picture(33, 47)
    assert torch.equal(first.purify(before).image, again.purify(before).image)


@pytest.mark.parametrize("text", TEXTS)
def test_inside_inference_mode_it_gives_the_same(text: str) -> None:
    method, before = make(text), picture(33, 47)
    with torch.inference_mode():
        inside = method.purify(before.clone()).image
    assert torch.equal(inside, method.purify(before).image)


@pytest.mark.parametrize("text", TEXTS)
def test_not_a_picture_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match=r"expected values in \[0, 1\]"):
        make(text).purify(torch.full((1, 3, 8, 8), 1.5))


@pytest.mark.parametrize("name", NEEDING)
def test_what_it_needs_is_asked_for_by_name(name: str) -> None:
    for resource in COUNTERMEASURES[name].resources:
        if resource != "distance":  # there is always one
            without = replace(resources(), **{resource: None})
            with pytest.raises(SettingError, match=f"countermeasure {name}: needs "):
                make_countermeasure(name, without)


@pytest.mark.parametrize(("name", "module"), OPTIONAL.items())
def test_a_missing_library_is_named(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loaded in [key for key in sys.modules if key.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingError, match=rf"{name}: needs the package .*pip install"):
        make_countermeasure(name)


def test_the_needed_resources_are_known_before_they_are_loaded() -> None:
    assert needed_resources("jpeg:75+bits:4") == frozenset()
    assert needed_resources("jpeg:75+impress:fast+average") == {"codec", "distance", "shared"}
    with pytest.raises(SettingError, match=r"no 'impres'; did you mean impress\?"):
        needed_resources("impres")


def test_a_distance_is_found_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixative.perceptual.distance.offline", lambda name: False)
    method = make_countermeasure("impress:fast,steps=1", Resources(random_codec()))
    assert isinstance(method, Impress)
    assert method.purify(picture(33, 47)).details[0]["distance"] == "learned"


@pytest.mark.parametrize("text", ["roundtrip", "impress:fast,steps=1"])
def test_a_codec_without_a_decoder_is_refused(text: str) -> None:
    blind = Resources(TinyCodec(tiny_encoder(), name="half"), LearnedDistance())
    with pytest.raises(CodecError, match="codec half: has no decoder"):
        make_countermeasure(text, blind).purify(picture(33, 47))


def test_a_chain_is_one_after_the_other() -> None:
    before = picture(33, 47)
    chain = make_countermeasure("noise:0.1+jpeg:50+noise:0.1", seed=3)
    assert isinstance(chain, Chain)
    image = before
    for number, link in enumerate(["noise:0.1", "jpeg:50", "noise:0.1"]):
        image = make_countermeasure(link, seed=3 + number).purify(image).image
    result = chain.purify(before)
    assert torch.equal(result.image, image)
    assert [link["name"] for link in result.details[0]["links"]] == chain.describe().split("+")

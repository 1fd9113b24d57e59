"""What a mimicry test is made of: sets of pictures, canvases, arms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fixative.errors import ImageError, SettingError
from fixative.mimicry.arms import Arm, Role, plan_arms
from fixative.mimicry.sets import load_canvases, on_canvas, sets_of_folders
from tests.engine_parts import drawn_picture
from tests.picture_files import save_photo


def test_sets_come_from_folders(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        for number in range(3):
            save_photo(tmp_path / "in" / name / f"{number}.png", 40 + number, 32)
    out = tmp_path / "in" / "out"
    out.mkdir()
    assert [one.name for one in sets_of_folders([tmp_path / "in"], out=out)] == ["cats", "dogs"]
    one = sets_of_folders([tmp_path / "in" / "dogs"], out=out)[0]
    assert (one.name, len(one.subjects)) == ("dogs", 3)
    canvases = load_canvases(one, 48)
    assert canvases.images.shape == (3, 3, 48, 48)
    assert canvases.notes == ("3 different sizes, all brought to 48 × 48 pixels",)
    (tmp_path / "in/dogs/3.png").write_bytes(b"\x89PNG no more")
    canvases = load_canvases(sets_of_folders([tmp_path / "in/dogs"], out=out)[0], 48)
    assert canvases.names == ("0.png", "1.png", "2.png")
    assert "left out: " in canvases.notes[0]
    assert "3.png" in canvases.notes[0]
    for number in range(2):
        (tmp_path / f"in/dogs/{number}.png").unlink()
    with pytest.raises(ImageError, match=r"set dogs: expected 3 pictures or more.*there are 2"):
        sets_of_folders([tmp_path / "in/dogs"], out=out)
    with pytest.raises(SettingError, match="is not a folder"):
        sets_of_folders([tmp_path / "nowhere"], out=out)


def test_a_canvas_is_the_centre_square() -> None:
    image = drawn_picture(64, 100)
    assert torch.equal(on_canvas(image, 64), image[..., 18:82])
    small = on_canvas(image, 32)
    assert small.shape == (1, 3, 32, 32)
    assert torch.equal(small, (small * 255).round() / 255)


def test_arms_come_once_and_unknown_ones_not_at_all() -> None:
    arms = plan_arms(["noise", "mixture"], ["jpeg:75"], baseline="photoguard:5")
    assert [arm.name for arm in arms] == [
        "no LoRA",
        "clean",
        "clean, other seed",
        "noise",
        "photoguard:5",
        "noise → jpeg:75",
        "mixture",
        "mixture → jpeg:75",
    ]
    assert arms[-1].source.name == "mixture"
    assert Arm(Role.CONTROL).pictures == "clean"
    with pytest.raises(SettingError, match="did you mean mixture"):
        plan_arms(["mixtur"])
    with pytest.raises(SettingError, match="expected quality from"):
        plan_arms(["mixture"], ["jpeg:500"])
    with pytest.raises(SettingError, match="expected one method"):
        plan_arms(["mixture+noise"])

"""Tar shards: what is packed comes back, and a step draws the same whatever came before."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
import torch

from fixative.errors import ImageError, SettingError
from fixative.training.crops import CropSampler, step_generator
from fixative.training.shard_folder import INDEX
from fixative.training.shards import ShardSampler, open_pictures, pack_shards
from tests.training_fleet import write_pictures


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Five shards of two pictures at the most, of nine in two kinds; one more is held out."""
    pytest.importorskip("webdataset", reason="the extra 'distributed' is not installed")
    write_pictures(tmp_path / "pictures", 5)
    (tmp_path / "pictures" / "photos" / "4.png").rename(
        tmp_path / "pictures" / "photos" / "kodak_kodim20.png"
    )
    assert pack_shards(tmp_path / "pictures", tmp_path / "shards", per_shard=2) == 5
    return tmp_path / "shards"


def test_every_training_picture_is_there_once(packed: Path) -> None:
    shards, folder = open_pictures(packed), open_pictures(packed.parent / "pictures")
    assert isinstance(shards, ShardSampler)
    assert isinstance(folder, CropSampler)
    assert shards.counts == folder.counts == {"drawings": 5, "photos": 4}
    generator = torch.Generator()
    got = {shards.pick(i, generator).numpy().tobytes() for i in range(9)}
    kinds = folder._pictures.values()
    assert got == {picture.numpy().tobytes() for kind in kinds for picture in kind}
    assert torch.equal(shards.pick(9, generator), shards.pick(0, generator))


def test_crops_depend_on_seed_and_step_only_and_few_shards_are_held(packed: Path) -> None:
    whole = ShardSampler(packed, turn=3, hold=2)
    seen: set[int] = set()
    drawn: list[torch.Tensor] = []
    for step in range(15):
        whole.seek(step)
        drawn.append(whole.sample(2, 32, step_generator(0, step)))
        seen |= set(whole._held)
        assert len(whole._held) <= 2
    assert seen == set(range(5))
    resumed = ShardSampler(packed, turn=3, hold=2)
    for step in (14, 7, 8):
        resumed.seek(step)
        assert torch.equal(resumed.sample(2, 32, step_generator(0, step)), drawn[step])


def test_another_round_and_another_seed_have_another_order(packed: Path) -> None:
    def order(seed: int, turns: int) -> list[int]:
        sampler = ShardSampler(packed, seed=seed)
        return [sampler._shard_at(turns * 5 + i) for i in range(5)]

    assert sorted(order(0, 0)) == sorted(order(0, 1)) == list(range(5))
    assert len({tuple(order(seed, turns)) for seed in range(3) for turns in range(3)}) > 4


def test_packing_twice_gives_the_same_bytes_and_never_overwrites(packed: Path) -> None:
    again = packed.parent / "again"
    pack_shards(packed.parent / "pictures", again, per_shard=2)
    for path in sorted(packed.iterdir()):
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name
    assert len(tarfile.open(packed / "pictures-000000.tar").getnames()) == 4  # noqa: SIM115
    with pytest.raises(ImageError, match="has shards already"):
        pack_shards(packed.parent / "pictures", packed)
    with pytest.raises(ImageError, match="none found"):
        pack_shards(packed.parent / "absent", packed.parent / "other")


def test_shards_in_a_store_are_those_of_the_folder(packed: Path) -> None:
    fs = pytest.importorskip("fsspec").filesystem("memory")
    address = f"memory://{packed.parent.name}/shards"
    fs.put(str(packed), address, recursive=True)
    try:
        there, here = open_pictures(address), open_pictures(packed)
        assert there.counts == here.counts
        for step in (0, 100, 250):
            there.seek(step)
            here.seek(step)
            drawn = [pictures.sample(3, 32, step_generator(0, step)) for pictures in (there, here)]
            assert torch.equal(*drawn)
        fs.rm_file(f"{address}/pictures-000003.tar")
        with pytest.raises(ImageError, match=r"no file memory://.*/pictures-000003\.tar"):
            ShardSampler(address, hold=5)
    finally:
        fs.rm(address, recursive=True)
    with pytest.raises(ImageError, match=r"memory://absent/index\.json is no index of shards"):
        open_pictures("memory://absent")
    with pytest.raises(SettingError, match=r"nowhere://shards: expected a folder or an address"):
        open_pictures("nowhere://shards")


def test_what_is_missing_or_damaged_is_told(packed: Path) -> None:
    (packed / "pictures-000002.tar").unlink()
    with pytest.raises(ImageError, match=r"no file .*pictures-000002\.tar"):
        ShardSampler(packed, hold=5)
    index = json.loads((packed / INDEX).read_text("utf-8"))
    index["shards"] = [{"file": "pictures-000001.tar", "kinds": {"photos": 7}}]
    (packed / INDEX).write_text(json.dumps(index), "utf-8")
    with pytest.raises(ImageError, match="its index says 7"):
        ShardSampler(packed)
    (packed / INDEX).write_text("{}", "utf-8")
    with pytest.raises(ImageError, match="is no index of shards"):
        ShardSampler(packed)

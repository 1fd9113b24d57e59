"""Protocols: shipped ones, and what is said of bad ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fixative.errors import SettingError
from fixative.evaluation import load_protocol, parse_protocol, shipped_protocols
from fixative.evaluation.plan import nested_order, plan_cells
from fixative.evaluation.protocol import NONE
from fixative.evaluation.subjects import choose_subjects, spread, subjects_of_images
from tests.engine_parts import drawn_picture
from tests.evaluation_parts import TOY, protocol


@pytest.mark.parametrize("name", ["quick", "paper"])
def test_shipped_ones_are_there_and_name_only_what_exists(name: str) -> None:
    assert name in shipped_protocols()
    found = load_protocol(name)
    assert found.name == name
    assert {entry.method for entry in found.protections} >= {"mixture", "noise"}
    assert all(entry.strengths for entry in found.protections)
    assert any(entry.method.startswith("impress") for entry in found.countermeasures)


def test_quick_says_what_each_key_means() -> None:
    folder = Path(__file__).resolve().parents[1] / "fixative" / "protocols"
    text = (folder / "quick.yaml").read_text("utf-8")
    for key in ("sees", "against", "window", "pairs", "codecs", "strengths", "resamples"):
        assert f"# {key}" in text or f"{key}: " in text or f"#   {key}" in text, key


def test_entries_are_words_or_mappings_with_their_own_strengths() -> None:
    found = protocol(TOY.replace("- noise\n", "- {method: noise, name: coin, strengths: 2}\n"))
    coin, pgd = found.protections
    assert (coin.name, coin.strengths) == ("coin", (2.0,))
    assert (pgd.name, pgd.strengths) == ("PGD", (4.0, 8.0))
    assert found.countermeasures[0].name == "jpeg:75"


#: What is changed in the toy protocol, and what the message must say.
BAD = [
    (("protections:", "protection:"), "no key 'protection'; did you mean protections"),
    (("  - noise\n", "  - nose\n"), "no 'nose'; did you mean noise"),
    (("jpeg:75", "jpg:75"), "did you mean jpeg"),
    (("jpeg:75", "jpeg:100"), "from 1 to 95, got 100"),
    (("photoguard:2,goal=low", "photoguard:2,gaol=low"), "did you mean goal"),
    (("name: PGD", "name: noise"), "'noise' is there twice"),
    (("name: PGD", f"name: {NONE}"), "always measured"),
    (("strengths: [4, 8]\n", ""), "'strengths' is missing; expected it as in"),
    (("[4, 8]", "[4, 80]"), "strengths to be a number from 0 to 32"),
    (("[4, 8]", "[4, 4]"), "each once"),
    (("[4, 8]", "strong"), "got 'strong'"),
    (("version: 1", "version: 2"), "expected version 1"),
    (("version: 1\n", ""), "'version' is missing"),
    (("  - jpeg:75\n", "  - jpeg: 75\n"), "write 'jpeg:75' without a blank"),
    (("window: 48", "window: big"), "window to be a whole number"),
    (("pictures: 1,", "picture: 1,"), "did you mean pictures"),
    (("name: chain,", "name: chain, against: [PDG],"), "did you mean PGD"),
    (("gallery: 1", "gallery: true"), "gallery to be a whole number"),
    (("  - noise\n", "  - {method: noise, sees: windows}\n"), "did you mean window"),
    (("  - noise\n", "  - noise+universal\n"), "not a chain"),
    (("name: toy", "name: [toy"), "is not YAML"),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_protocols_are_refused_with_what_to_do(change: tuple[str, str], said: str) -> None:
    text = TOY.replace(*change)
    assert text != TOY
    with pytest.raises(SettingError, match=r"protocol mine\.yaml") as caught:
        parse_protocol(text, place="protocol mine.yaml")
    assert said in str(caught.value)


def test_no_such_protocol(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="did you mean quick"):
        load_protocol("quik")
    with pytest.raises(SettingError, match="no file"):
        load_protocol(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="UTF-8"):
        load_protocol(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("just text", "utf-8")
    with pytest.raises(SettingError, match="keys and values"):
        load_protocol(tmp_path / "mine.yaml")


def test_the_digest_is_of_what_is_measured() -> None:
    first = protocol()
    assert first.digest() == protocol().digest()
    assert replace(first, description="other words").digest() == first.digest()
    assert replace(first, seed=1).digest() != first.digest()


def test_pictures_are_spread_and_pairs_are_others() -> None:
    subjects = subjects_of_images([drawn_picture(16, 16)] * 10)
    chosen = choose_subjects(subjects, replace(protocol(), pictures=3, pairs=4))
    measured = {subject.name for subject in chosen.measured}
    assert len(measured) == 3
    assert len(chosen.pairs) == 4
    assert not measured & {subject.name for subject in chosen.pairs}
    assert chosen.given == 10
    assert spread(10, 3) == [1, 5, 8]
    with pytest.raises(SettingError, match="got none"):
        choose_subjects([], protocol())


def test_fewer_pictures_are_a_part_of_more() -> None:
    order = nested_order(6)
    assert sorted(order) == list(range(6))
    assert order[:2] == [0, 4]


def test_every_cell_is_planned_once() -> None:
    found = protocol()
    subjects = subjects_of_images([drawn_picture(16, 16)] * 2)
    keys = [cell.key for cells in plan_cells(found, subjects) for cell in cells]
    assert len(keys) == len(set(keys))
    # Clean through both (the chain on one picture), then 2 protections at 2 strengths.
    assert len(keys) == (2 + 1) + 2 * 2 * (2 + 2 + 1)

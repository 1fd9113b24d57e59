"""The thin host against what was recorded of the real ones, and this extension against both.

The record, contract.json, holds the signatures of A1111 1.6.0, 1.7.0, 1.10.1 and of Forge. It lies
outside of this repository; where it is absent these tests are skipped.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.webui.environments import CHECKOUT, GRADIOS, environment_of
from tests.webui.environments import EnvironmentUnavailableError as Unavailable
from tests.webui.extension_uses import Use, overrides, signature_of, uses

RECORD = Path(
    os.environ.get("FIXATIVE_TEST_WEBUI_CONTRACT")
    or CHECKOUT.parent / "shared" / "data" / "a1111" / "contract.json"
)
PROBE = Path(__file__).with_name("contract_probe.py")
Found = dict[str, dict[str, Any]]


@cache
def record() -> dict[str, Found]:
    """What was recorded, by the flavour's name here."""
    if not RECORD.is_file():
        pytest.skip(f"no record of the real hosts in {RECORD}")
    found: dict[str, Found] = json.loads(RECORD.read_text("utf-8"))
    return {"forge" if name.startswith("forge") else name: each for name, each in found.items()}


@cache
def offered(flavour: str) -> Found:
    """What the thin host offers under the recorded names."""
    try:
        python = environment_of(flavour)
    except Unavailable as error:
        pytest.skip(str(error))
    environment = {**os.environ, "FIXATIVE_THIN_FLAVOUR": flavour}
    done = subprocess.run(
        [str(python), str(PROBE)],
        input=json.dumps(record()[flavour]),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def parameters(signature: str) -> list[list[Any]]:
    """(name, kind, default) of each parameter of a recorded signature."""
    parsed = signature_of(signature).args
    plain = [*parsed.posonlyargs, *parsed.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(parsed.defaults))
    defaults += parsed.defaults
    found = [_one(a, "POSITIONAL_OR_KEYWORD", d) for a, d in zip(plain, defaults, strict=True)]
    found += [_one(parsed.vararg, "VAR_POSITIONAL", None)] if parsed.vararg else []
    for argument, default in zip(parsed.kwonlyargs, parsed.kw_defaults, strict=True):
        found.append(_one(argument, "KEYWORD_ONLY", default))
    return found + ([_one(parsed.kwarg, "VAR_KEYWORD", None)] if parsed.kwarg else [])


def _one(argument: ast.arg, kind: str, default: ast.expr | None) -> list[Any]:
    constant = isinstance(default, ast.Constant)
    shown = None if default is None else repr(default.value) if constant else "…"
    return [argument.arg, kind, shown]


def same(theirs: list[list[Any]], ours: list[list[Any]]) -> bool:
    """Same names, kinds and defaults; a default that either names by a variable may be any."""
    return len(theirs) == len(ours) and all(
        their[:2] == our[:2] and _same_default(their[2], our[2])
        for their, our in zip(theirs, ours, strict=True)
    )


def _same_default(their: str | None, our: str | None) -> bool:
    either = their is not None and our is not None and "…" in (their, our)
    return either or their == our


@pytest.mark.parametrize("flavour", GRADIOS)
def test_the_thin_host_has_the_real_ones_signatures(flavour: str) -> None:
    wrong: list[str] = []
    compared = 0
    for file, names in record()[flavour].items():
        for name, theirs in names.items():
            ours = offered(flavour).get(file, {}).get(name)
            for what, signature, found in _pairs(name, theirs, ours):
                compared += 1
                if not same(parameters(signature), found):
                    wrong.append(f"{file}: {what}: recorded {signature}, here {found}")
    assert not wrong, "\n".join(wrong)
    assert compared > 90


def _pairs(name: str, theirs: Any, ours: Any) -> list[tuple[str, str, Any]]:
    """What is compared: each function and each method that both have."""
    if ours is None:
        return []
    if isinstance(theirs, str):
        return [(name, theirs, ours["function"] if isinstance(ours, dict) else ours)]
    found: list[tuple[str, str, Any]] = []
    for signature in theirs["methods"]:
        method = signature.split("(")[0]
        if method in ours["methods"]:
            found.append((f"{name}.{method}", signature, ours["methods"][method]))
    return found


@pytest.mark.parametrize("flavour", GRADIOS)
def test_the_thin_hosts_classes_hold_what_the_real_ones_hold(flavour: str) -> None:
    compared = 0
    for file, names in record()[flavour].items():
        for name, theirs in names.items():
            ours = offered(flavour).get(file, {}).get(name)
            if not isinstance(theirs, dict) or ours is None:
                continue
            missing = set(theirs["class_attrs"]) - set(ours["names"])
            assert not missing, f"{flavour} {file} {name}: {missing}"
            methods = {signature.split("(")[0] for signature in theirs["methods"]}
            assert not methods - set(ours["names"]), f"{flavour} {file} {name}"
            if ours["held"] is not None:
                compared += 1
                assert ours["held"] == sorted(theirs["instance_attrs"]), f"{flavour} {name}"
    assert compared == 4


@pytest.mark.parametrize("flavour", GRADIOS)
def test_what_only_later_hosts_have_is_absent_from_earlier_ones(flavour: str) -> None:
    """Else the thin host would let pass what fails in a real one."""
    everywhere = {
        (file, name, method.split("(")[0])
        for found in record().values()
        for file, names in found.items()
        for name, each in names.items()
        if isinstance(each, dict)
        for method in (*each["methods"], *each["class_attrs"])
    }
    for file, name, attribute in sorted(everywhere):
        theirs = record()[flavour].get(file, {}).get(name)
        ours = offered(flavour).get(file, {}).get(name)
        if not isinstance(theirs, dict) or ours is None or attribute == "__init__":
            continue
        has = {*theirs["class_attrs"], *(each.split("(")[0] for each in theirs["methods"])}
        if attribute not in has:
            assert attribute not in ours["names"], f"{flavour} {file} {name}.{attribute}"


def test_the_search_finds_what_the_extension_uses() -> None:
    found = {(use.module, use.name) for use in uses()}
    assert ("script_callbacks", "on_ui_tabs") in found
    assert ("call_queue", "queue_lock") in found
    assert ("shared", "state.begin") in found


@pytest.mark.parametrize("flavour", GRADIOS)
@pytest.mark.parametrize("use", uses(), ids=str)
def test_what_the_extension_uses_every_host_has(use: Use, flavour: str) -> None:
    if use.module == "shared" and use.name.startswith("state."):
        theirs = record()[flavour]["modules/shared_state.py"]["State"]
        attribute = use.name.split(".")[1]
        methods = {each.split("(")[0]: each for each in theirs["methods"]}
        assert attribute in (*methods, *theirs["class_attrs"]), f"{flavour} has no {use}"
        _accepted(use, methods.get(attribute), bound=True)
        return
    file = f"modules/{use.module}.py"
    known = {name for found in record().values() for name in found.get(file, {})}
    theirs = record()[flavour].get(file, {}).get(use.name)
    if use.name in known:
        assert theirs is not None, f"{flavour} has no {use}"
        _accepted(use, theirs if isinstance(theirs, str) else _made_by(theirs), bound=False)


def _made_by(found: dict[str, Any]) -> str | None:
    """The signature of a class, without self."""
    made = [each for each in found["methods"] if each.startswith("__init__(")]
    return made[0].replace("(self, ", "(", 1) if made else None


def _accepted(use: Use, signature: str | None, *, bound: bool) -> None:
    """A call's arguments fit the recorded signature."""
    if use.call is None or signature is None:
        return
    listed = parameters(signature)[1 if bound else 0 :]
    kinds = [kind for _, kind, _ in listed]
    positional = [name for name, kind, _ in listed if kind == "POSITIONAL_OR_KEYWORD"]
    count, keywords = use.call
    assert count <= len(positional) or "VAR_POSITIONAL" in kinds, f"{use}: {signature}"
    known = {name for name, kind, _ in listed if "VAR" not in kind}
    assert keywords <= known or "VAR_KEYWORD" in kinds, f"{use}: {signature}"


@pytest.mark.parametrize("flavour", GRADIOS)
def test_what_the_extension_overrides_has_the_hosts_parameters(flavour: str) -> None:
    found = overrides()
    assert len(found) >= 5
    for base, method, ours in found:
        module, name = base.split(".")
        theirs = record()[flavour][f"modules/{module}.py"][name]["methods"]
        recorded = next((each for each in theirs if each.startswith(f"{method}(")), None)
        assert recorded is not None, f"{flavour}: {base} has no {method}"
        assert [each[:2] for each in parameters(recorded)] == [
            each[:2] for each in parameters(ours)
        ], f"{flavour}: {base}.{method}"

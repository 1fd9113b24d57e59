"""install.py: called by a host, and as the bootstrap of the two commands."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

#: An index that is not there: whoever asks it has tried to install something.
NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_INDEX": "0", "PIP_RETRIES": "0"}


def run_install(
    script: Path, *arguments: str, python: Path | str = sys.executable, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    hidden = ("COMMANDLINE_ARGS", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    return subprocess.run(
        [str(python), str(script), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**environment, **NOWHERE, "PIP_CONFIG_FILE": os.devnull},
        timeout=300,
        check=False,
    )


@pytest.fixture
def bare_checkout(checkout: Path, tmp_path: Path) -> Path:
    """install.py in a folder with a space, with nothing to install but what a test names."""
    folder = tmp_path / "a folder"
    (folder / "tests").mkdir(parents=True)
    shutil.copy(checkout / "install.py", folder)
    (folder / "pyproject.toml").write_text("# nothing\n")
    (folder / "requirements.txt").write_text("# nothing\n")
    for name in ("demo", "test", "no-deps"):
        (folder / "tests" / f"requirements-{name}.txt").write_text("# nothing\n")
    return folder


@pytest.fixture
def module(bare_checkout: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "install_under_test", bare_checkout / "install.py"
    )
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


class TestCalledByAHost:
    def test_says_and_does_nothing_where_all_is_there(self, checkout: Path) -> None:
        started = time.monotonic()
        done = run_install(checkout / "install.py")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert time.monotonic() - started < 5

    def test_never_names_torch(self, checkout: Path) -> None:
        text = (checkout / "requirements.txt").read_text()
        names = [line.split(">=")[0] for line in text.splitlines() if not line.startswith("#")]
        assert set(names) == {"einops", "safetensors", "pillow", "matplotlib"}

    def test_offline_it_says_so_and_lets_the_host_start(self, bare_checkout: Path) -> None:
        (bare_checkout / "requirements.txt").write_text("surely-not-installed>=1\n")
        done = run_install(bare_checkout / "install.py")
        assert done.returncode == 0
        assert "could not install surely-not-installed>=1" in done.stdout

    def test_skip_install_is_honoured(
        self, bare_checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (bare_checkout / "requirements.txt").write_text("surely-not-installed>=1\n")
        done = run_install(bare_checkout / "install.py", "--skip-install")
        assert (done.returncode, done.stdout) == (0, "")

    @pytest.mark.parametrize("given", ["--skip-install", "--medvram --skip-install --api"])
    def test_skip_install_in_the_hosts_arguments_is_honoured(
        self, module: ModuleType, monkeypatch: pytest.MonkeyPatch, given: str
    ) -> None:
        asked: list[str] = []
        monkeypatch.setattr(module, "host_requirements", lambda: asked.append("asked") or [])
        monkeypatch.setenv("COMMANDLINE_ARGS", given)
        assert module.main([]) == 0
        assert asked == []
        monkeypatch.setenv("COMMANDLINE_ARGS", "--medvram")
        assert module.main([]) == 0
        assert asked == ["asked"]

    @pytest.mark.parametrize(
        ("requirement", "satisfied"),
        [
            ("pytest", True),
            ("pytest>=1", True),
            ("pytest>=999.1", False),
            ("surely-not-installed", False),
        ],
    )
    def test_compares_versions(
        self, module: ModuleType, requirement: str, *, satisfied: bool
    ) -> None:
        assert module.is_satisfied(requirement) is satisfied


class TestWrongUse:
    def test_an_unknown_command_gets_usage_and_code_2(self, checkout: Path) -> None:
        done = run_install(checkout / "install.py", "dmeo")
        assert done.returncode == 2
        assert "demo" in done.stderr
        assert "invalid choice: 'dmeo'" in done.stderr

    def test_an_old_python_is_refused_in_one_line(self, checkout: Path) -> None:
        old = sorted((Path.home() / ".pyenv" / "versions").glob("3.[6-9].*/bin/python"))
        if not old:
            pytest.skip("no Python older than 3.10 on this machine")
        for python in old:
            done = run_install(checkout / "install.py", "demo", python=python)
            assert done.returncode == 2
            assert done.stderr.startswith("Fixative needs Python 3.10 or newer")
            assert len(done.stderr.splitlines()) == 1

    def test_without_an_environment_skip_install_says_what_to_do(self, bare_checkout: Path) -> None:
        done = run_install(bare_checkout / "install.py", "demo", "--skip-install")
        assert done.returncode == 2
        assert "run it without --skip-install" in done.stderr


class TestBootstrap:
    """With the steps that need a registry left out; the whole is what runs these tests."""

    @pytest.fixture
    def steps(self, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """Let only the environment be made; write down what pip was asked for."""
        asked: list[list[str]] = []
        really = module._run

        def run(*command: Path | str, hint: str) -> None:
            words = [str(part) for part in command]
            if "pip" in words:
                asked.append(words[words.index("install") :])
            else:
                really(*command, "--without-pip", hint=hint)

        monkeypatch.setattr(module, "_run", run)
        return asked

    def test_makes_an_environment_that_runs_and_is_used_again(
        self, module: ModuleType, steps: list[list[str]]
    ) -> None:
        python = module.prepare_environment("demo")
        said = subprocess.run(
            [str(python), "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True
        )
        assert Path(said.stdout.strip()) == module.ENVIRONMENT
        assert " " in str(module.ENVIRONMENT)
        assert len(steps) == 2  # the pins, then the checkout itself
        assert module.prepare_environment("demo") == python
        assert len(steps) == 2

    def test_installs_what_asks_for_another_torch_alone(
        self, module: ModuleType, steps: list[list[str]]
    ) -> None:
        module.prepare_environment("test")
        together, alone, itself = steps
        assert sum("requirements" in word for word in together) == 2
        assert "--no-deps" not in together
        assert "--no-deps" in alone
        assert "no-deps" in alone[-1]
        assert itself[-2:] == ["-e", str(module.CHECKOUT)]

    def test_other_pins_install_anew(self, module: ModuleType, steps: list[list[str]]) -> None:
        module.prepare_environment("demo")
        (module.PINS / "requirements-demo.txt").write_text("numpy==0.0\n")
        module.prepare_environment("demo")
        assert len(steps) == 4

    def test_a_half_made_environment_is_not_taken_for_a_whole_one(
        self, module: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_command: Path | str, hint: str) -> None:
            raise module.InstallError("no network")

        monkeypatch.setattr(module, "_run", fail)
        assert module.main(["demo"]) == 2
        assert not (module.ENVIRONMENT / "complete-demo.txt").exists()


def test_torch_is_pinned_exactly_and_first(checkout: Path) -> None:
    """Anything looser pulls gigabytes of CUDA where a CPU build is meant."""
    for path in ("tests/requirements-demo.txt", "tests/host/requirements.txt"):
        lines = [
            line for line in (checkout / path).read_text().splitlines() if not line.startswith("#")
        ]
        assert lines[0] == "torch==2.13.0"

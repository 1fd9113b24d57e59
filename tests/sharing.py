"""How the processes of ``pytest -n`` share the tests."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler.loadscope import LoadScopeScheduling

#: Folders whose tests share servers.
TOGETHER = ("host", "browser", "webui")


class ServersWhole(LoadScopeScheduling):
    """A process takes a file at a time, or all tests of such a folder; most tests first.

    So servers are not started again and again, and what takes long is not begun last.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.split("::")[0])
        folder = file.parent.name
        return folder if folder in TOGETHER else file.name

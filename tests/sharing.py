"""How the processes of ``pytest -n`` share the tests."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler.loadscope import LoadScopeScheduling

#: Folders whose tests drive one server, by the name of that server.
SERVERS = {"host": "comfyui", "browser": "comfyui", "webui": "webui"}


class ServersWhole(LoadScopeScheduling):
    """A process takes a file at a time, or all tests of a server; most tests first.

    So each server is started by one process only, and the long ones are not begun last.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.split("::")[0])
        return SERVERS.get(file.parent.name, file.name)

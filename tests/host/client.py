"""A small client of ComfyUI's HTTP and websocket API."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import websocket
from PIL import Image

Graph = dict[str, dict[str, Any]]
Pixels = npt.NDArray[np.uint8]
#: Called with every event; what an interrupting test uses.
Listener = Callable[[str, dict[str, Any]], None]
WAIT_SECONDS = 120


class BadRequestError(Exception):
    """HTTP 400: the host refused a graph; ``details`` is its answer."""

    def __init__(self, details: dict[str, Any]) -> None:
        super().__init__(json.dumps(details)[:2000])
        self.details = details


@dataclass
class Run:
    """What one run of a graph told.

    Attributes:
        status: ``success``, ``error`` or ``interrupted``.
        events: websocket events in order, (type, data).
        previews: binary websocket messages: preview pictures and progress texts.
        outputs: the history's outputs by node id.
    """

    status: str = ""
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    previews: list[bytes] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def data_of(self, kind: str) -> list[dict[str, Any]]:
        """The data of every event of a type."""
        return [data for name, data in self.events if name == kind]

    @property
    def error(self) -> str:
        """The message of the exception that ended the run."""
        return self.data_of("execution_error")[0]["exception_message"]


class ComfyClient:
    """Talks to one server."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._id = uuid.uuid4().hex

    def object_info(self, node_id: str) -> dict[str, Any]:
        """A node's description."""
        return json.loads(self._get(f"/object_info/{node_id}"))[node_id]

    def all_object_info(self) -> dict[str, Any]:
        """The descriptions of every node of the host, by id."""
        return json.loads(self._get("/object_info"))

    def text(self, path: str) -> str:
        """A page that the server gives out."""
        return self._get(path).decode()

    def upload(self, name: str, pixels: Pixels) -> str:
        """Put a PNG into the server's inputs; return the name for LoadImage."""
        return self.upload_bytes(name, _png(pixels))

    def upload_bytes(self, name: str, content: bytes) -> str:
        """Put a file into the server's inputs."""
        mark = uuid.uuid4().hex
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        return json.loads(self._post("/upload/image", body, kind))["name"]

    def interrupt(self) -> None:
        """Stop what runs."""
        self._post("/interrupt", b"{}", "application/json")

    def run(
        self,
        graph: Graph,
        *,
        listener: Listener | None = None,
        workflow: dict[str, Any] | None = None,
    ) -> Run:
        """Queue a graph and listen until it ends.

        Args:
            graph: in the API format.
            listener: called with every event.
            workflow: what the front end sends along, to be written into saved pictures.

        Raises:
            BadRequestError: the host refused the graph.
        """
        connection = websocket.create_connection(
            f"ws://{self._address}/ws?clientId={self._id}", timeout=WAIT_SECONDS
        )
        try:
            queued = {"prompt": graph, "client_id": self._id}
            if workflow is not None:
                queued["extra_data"] = {"extra_pnginfo": {"workflow": workflow}}
            body = json.dumps(queued).encode()
            prompt = json.loads(self._post("/prompt", body, "application/json"))["prompt_id"]
            run = _listen(connection, prompt, listener)
        finally:
            connection.close()
        history = json.loads(self._get(f"/history/{prompt}"))
        run.outputs = history.get(prompt, {}).get("outputs", {})
        return run

    def refused(self, graph: Graph) -> dict[str, Any]:
        """What the host says about each node of a graph that it refuses to run."""
        try:
            self.run(graph)
        except BadRequestError as error:
            return error.details["node_errors"]
        raise AssertionError("the host ran it")

    def pictures(self, run: Run, node_id: str) -> list[Pixels]:
        """The pictures that a SaveImage or PreviewImage node wrote, as uint8 arrays."""
        return [self._picture(entry) for entry in run.outputs[node_id]["images"]]

    def _picture(self, entry: dict[str, str]) -> Pixels:
        content = self._get("/view?" + urllib.parse.urlencode(entry))
        return np.asarray(Image.open(io.BytesIO(content)))

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self._address}{path}", timeout=WAIT_SECONDS) as reply:
            return reply.read()

    def _post(self, path: str, body: bytes, kind: str) -> bytes:
        request = urllib.request.Request(
            f"http://{self._address}{path}", body, {"Content-Type": kind}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            raise BadRequestError(json.loads(error.read())) from error


def _listen(connection: Any, prompt: str, listener: Listener | None) -> Run:
    """Collect events until the host says that nothing runs any more: the history is then there."""
    run = Run(status="success")
    while True:
        message = connection.recv()
        if isinstance(message, bytes):
            run.previews.append(message)
            continue
        event = json.loads(message)
        kind, data = event["type"], event["data"]
        run.events.append((kind, data))
        if listener is not None:
            listener(kind, data)
        if data.get("prompt_id") != prompt:
            continue
        if kind in ("execution_error", "execution_interrupted"):
            run.status = kind.removeprefix("execution_")
        if kind == "executing" and data["node"] is None:
            return run


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()

"""Messages that the user must see at once: the front end shows them as toasts."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import logging

from server import PromptServer

EVENT = "fixative.notice"

logger = logging.getLogger(__name__)


def warn(text: str | None, *, node_id: str | None) -> None:
    """Show a warning in every open window of the host, and write it to the log.

    Args:
        text: one or two sentences: what is so, and what to do; None: all is well.
        node_id: the node it comes from, or None.
    """
    if text is None:
        return
    logger.warning("Fixative: %s", text)
    notice = {"severity": "warn", "text": text, "node_id": node_id}
    PromptServer.instance.send_sync(EVENT, notice)

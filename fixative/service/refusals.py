"""Why a request is refused, as a status code and a sentence."""

from __future__ import annotations

import errno
import logging

from fastapi import HTTPException

from fixative.errors import FixativeError, PictureTooLargeError

log = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


def busy(why: str, *, seconds: int) -> HTTPException:
    """503: there is no room now; the client may come again after some seconds."""
    detail = f"{why}; send it again in {seconds} seconds"
    return HTTPException(503, detail, headers={"Retry-After": str(seconds)})


def too_large(max_bytes: int) -> HTTPException:
    """413: the body has more bytes than are taken."""
    return HTTPException(
        413,
        f"the request has more than {max_bytes / 1e6:g} MB, the most that is taken; "
        "send a smaller picture",
    )


def refusal(error: Exception, *, seconds: int) -> HTTPException:
    """What to answer when a stage failed.

    Args:
        error: what the stage raised.
        seconds: after which a client may try again, where that helps.
    """
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, PictureTooLargeError):
        return HTTPException(413, str(error))
    if isinstance(error, FixativeError):
        return HTTPException(422, str(error))
    log.error("a request failed", exc_info=error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return busy("the service has no disk space or files left", seconds=seconds)
    if isinstance(error, MemoryError) or "alloc" in str(error) or "memory" in str(error):
        return busy("the service has no memory left for it", seconds=seconds)
    return HTTPException(500, "failed for a reason not foreseen; the service's log has it")

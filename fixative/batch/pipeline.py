"""Read, protect and save pictures at the same time: three threads with bounded queues between.

Pillow and PyTorch let go of the interpreter while they compute, so the next picture is read and
the last one saved while one is being protected.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import Empty, Queue
from threading import Condition

from fixative.batch.job import Finished, Job, Stamp, hashed, is_disk_full
from fixative.batch.run import (
    FileOptions,
    FileResult,
    cautions,
    measure_saved,
    protect_pictures,
    reason,
)
from fixative.pictures import Picture, picture_size, read_picture, write_picture
from fixative.pictures.atomic import refuse_existing
from fixative.pictures.picture import Pixels, images_to_pixels, pixels_to_images
from fixative.protector import PictureReport, Protector

log = logging.getLogger(__name__)

#: Pictures that wait between two stages.
AHEAD = 2
#: Pixels in all stages together; one larger picture goes through alone.
MOST_PIXELS = 64_000_000


class Room:
    """So many pixels may be in memory; who wants more waits, unless there are none."""

    def __init__(self, most: int = MOST_PIXELS) -> None:
        self._most, self._used, self._changed = most, 0, Condition()

    def take(self, pixels: int) -> None:
        """Wait until there is room for so many pixels, and take it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + pixels <= self._most)
            self._used += pixels

    def give_back(self, pixels: int) -> None:
        """They are no longer in memory."""
        with self._changed:
            self._used -= pixels
            self._changed.notify_all()


@dataclass
class _Piece:
    """A picture on its way; ``error`` ends it."""

    job: Job
    source: Stamp
    room: int = 0
    seconds: float = 0.0
    picture: Picture | None = None
    pixels: Pixels | None = None
    report: PictureReport | None = None
    result: FileResult | None = None
    output: Stamp | None = None
    error: Exception | None = None


@dataclass
class Pipeline:
    """One protector with a reading thread before and a saving thread behind it.

    Attributes:
        protector: used by the thread that calls ``run``, with ``options.batch`` pictures at the
            most, and for measuring the pull.
        options: how files are read and written; a job says whether its result is replaced.
        room: for pixels, of all pictures that are on their way.
    """

    protector: Protector
    options: FileOptions
    room: Room = field(default_factory=Room)

    def run(self, receive: Callable[[], Job | None], deliver: Callable[[Finished], None]) -> None:
        """Work until ``receive`` gives None and everything begun is delivered.

        Args:
            receive: gives the next job; called by the reading thread, may wait.
            deliver: takes what is finished, in the order of the jobs; called by the saving thread.
        """
        ready: Queue[_Piece | None] = Queue(max(AHEAD, self.options.batch))
        done: Queue[_Piece | None] = Queue(AHEAD)
        with ThreadPoolExecutor(2) as threads:
            sides = [
                threads.submit(self._read_all, receive, ready),
                threads.submit(self._save_all, done, deliver),
            ]
            for pieces in self._batches(ready):
                self._protect(pieces)
                for piece in pieces:
                    done.put(piece)
            done.put(None)
        _raise_errors(sides)

    def _read_all(self, receive: Callable[[], Job | None], ready: Queue[_Piece | None]) -> None:
        try:
            while (job := receive()) is not None:
                piece = _Piece(job, job.seen)
                self._step(piece, self._read)
                ready.put(piece)
        finally:
            ready.put(None)

    def _batches(self, ready: Queue[_Piece | None]) -> Iterator[list[_Piece]]:
        """What has been read meanwhile goes together; nobody waits for a batch to fill."""
        more = True
        while more:
            pieces = [ready.get()]
            while len(pieces) < self.options.batch and pieces[-1] is not None:
                try:
                    pieces.append(ready.get_nowait())
                except Empty:
                    break
            more = pieces[-1] is not None
            if batch := [piece for piece in pieces if piece is not None]:
                yield batch

    def _save_all(self, done: Queue[_Piece | None], deliver: Callable[[Finished], None]) -> None:
        failure: Exception | None = None
        while (piece := done.get()) is not None:
            self._step(piece, self._save)
            piece.picture = piece.pixels = None
            self.room.give_back(piece.room)
            try:
                deliver(_finished(piece))
            except Exception as error:  # nobody listens any more: empty the queue, then say so
                failure = failure or error
        if failure is not None:
            raise failure

    def _step(self, piece: _Piece, stage: Callable[[_Piece], None]) -> None:
        if piece.error is not None:
            return
        start = time.perf_counter()
        try:
            stage(piece)
        except Exception as error:  # one picture must not end the run; reason tells them apart
            piece.error = error
        piece.seconds += time.perf_counter() - start

    def _read(self, piece: _Piece) -> None:
        task = piece.job.task
        refuse_existing(task.output, overwrite=piece.job.replace)
        width, height = picture_size(task.source)
        self.room.take(width * height)
        piece.room = width * height
        piece.picture = read_picture(task.source, limits=self.options.limits)
        piece.source = hashed(task.source)

    def _protect(self, pieces: list[_Piece]) -> None:
        """Together; where that fails, one by one, so that none takes its neighbours with it."""
        good = [piece for piece in pieces if piece.error is None]
        if len(good) > 1 and self._protect_together(good):
            return
        for piece in good:
            self._step(piece, self._protect_alone)

    def _protect_together(self, pieces: list[_Piece]) -> bool:
        start = time.perf_counter()
        pictures = [piece.picture for piece in pieces if piece.picture is not None]
        try:
            protected = protect_pictures(pictures, self.protector, self.options)
        except Exception as error:  # which of them it is comes out when they are alone
            log.warning("a batch of %d failed, trying its pictures alone: %r", len(pieces), error)
            return False
        for piece, made in zip(pieces, protected, strict=True):
            piece.pixels, piece.report = images_to_pixels(made.image), made.reports[0]
            piece.seconds += (time.perf_counter() - start) / len(pieces)
        return True

    def _protect_alone(self, piece: _Piece) -> None:
        assert piece.picture is not None
        [protected] = protect_pictures([piece.picture], self.protector, self.options)
        piece.pixels, piece.report = images_to_pixels(protected.image), protected.reports[0]

    def _save(self, piece: _Piece) -> None:
        picture, task = piece.picture, piece.job.task
        assert picture is not None
        assert piece.pixels is not None
        saved = write_picture(
            picture,
            piece.pixels,
            task.output,
            output=self.options.output,
            overwrite=piece.job.replace,
        )
        change = measure_saved(picture.pixels, saved.pixels)
        told = cautions(change, self.protector.strength, self.options)
        piece.result = FileResult(
            source=task.source,
            output=task.output,
            size=picture.size,
            report=piece.report,
            change=change,
            pull=self._pull(picture, saved.pixels),
            warnings=task.notes + picture.notes + saved.notes + told,
        )
        piece.output = hashed(task.output)

    def _pull(self, picture: Picture, saved: Pixels) -> float | None:
        if not self.options.measure_pull:
            return None
        after = pixels_to_images(saved)
        return float(self.protector.measure_pull(picture.images(), after)[0])


def _finished(piece: _Piece) -> Finished:
    job, error = piece.job, piece.error
    if error is not None:
        result = FileResult(job.task.source, error=reason(error, job.task), seconds=piece.seconds)
        return Finished(result, job, piece.source, disk_full=is_disk_full(error))
    assert piece.result is not None
    result = replace(piece.result, seconds=piece.seconds)
    return Finished(result, job, piece.source, piece.output)


def _raise_errors(sides: list[Future[None]]) -> None:
    for side in sides:
        side.result()

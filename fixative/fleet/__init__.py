"""Protect the pictures of any store on many machines (the extra ``ray``)."""

from fixative.fleet.job import FleetRequest
from fixative.fleet.rows import FAILED, KEPT, PROTECTED, FleetRow
from fixative.fleet.run import FleetSummary, run_fleet

__all__ = ["FAILED", "KEPT", "PROTECTED", "FleetRequest", "FleetRow", "FleetSummary", "run_fleet"]

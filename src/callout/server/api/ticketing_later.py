"""Operations of the engine API that are not built: whoever may call them is told so, by a Problem."""

from __future__ import annotations

from fastapi import APIRouter, Response

from callout.ports.errors import OperationNotSupportedError
from callout.server.api.ticketing_call import ERRORS, ThisCall

router = APIRouter(prefix="/v1/operations", tags=["not built"], responses=ERRORS)


async def _refused(call: ThisCall) -> OperationNotSupportedError:
    await call.anybody("ticket.read")
    return OperationNotSupportedError(
        "this version runs no operations in the background",
        remediation="Call the operation itself; it answers at once.",
    )


@router.post("", status_code=204, summary="Run an operation in the background")
async def create_operation(call: ThisCall) -> Response:
    """Not built."""
    raise await _refused(call)


@router.get("/{operation}", status_code=204, summary="Read a background operation")
async def get_operation(operation: str, call: ThisCall) -> Response:  # noqa: ARG001  # of the path
    """Not built."""
    raise await _refused(call)


@router.post("/{operation}", status_code=204, summary="Cancel a background operation")
async def cancel_operation(operation: str, call: ThisCall) -> Response:  # noqa: ARG001  # of the path
    """Not built."""
    raise await _refused(call)

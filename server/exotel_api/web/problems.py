"""Errors as JSON, by RFC 9457: `type`, `title`, `status` and, where there is more to say, `detail`."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"

log = logging.getLogger("exotel_api")


def answer_with_problems(app: FastAPI) -> None:
    """Let every error of ``app`` be a problem of RFC 9457. None of them shows anything of the inside."""

    @app.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def unusable(_request: Request, error: RequestValidationError) -> Response:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults)[:1000])

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        route = getattr(request.scope.get("route"), "path", "a request")  # never the path itself, which has a secret
        log.error("💥 %s could not be answered", route, exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that says what was wrong."""
    title = HTTPStatus(status).phrase
    told: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    if detail and detail != title:
        told["detail"] = detail
    return JSONResponse(told, status, headers, MEDIA_TYPE)

"""The companion's application: its routes, and what holds for all of them."""

from typing import Final

from exotel_ws.path_secrets import PathSecrets
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from exotel_api.callbacks.inbox import Inbox
from exotel_api.settings import Settings
from exotel_api.web.exotel import Exotel
from exotel_api.web.problems import answer_with_problems
from exotel_api.web.tally import Tally

HEALTH: Final = {"status": "ok", "service": "exotel-api"}


def make(settings: Settings, secrets: PathSecrets, inbox: Inbox) -> FastAPI:
    """Make the application. Its description is at ``/openapi.json``; no page of it loads anything from elsewhere."""
    app = FastAPI(title="exotel-api", docs_url=None, redoc_url=None, redirect_slashes=False)
    tally = Tally(inbox)
    answer_with_problems(app)
    app.include_router(Exotel(settings, secrets, inbox, tally).routes)

    @app.get("/health", tags=["operation"])
    async def health() -> Response:
        """Say that the companion answers."""
        return JSONResponse(HEALTH)

    @app.get("/metrics", tags=["operation"])
    async def metrics(request: Request) -> Response:
        """Show the counts to whoever asks on this machine; to others, who come by the edge, there is no such page."""
        if "x-forwarded-for" in request.headers or not (request.client and request.client.host in ("127.0.0.1", "::1")):
            raise HTTPException(404)
        return Response(await run_in_threadpool(generate_latest, tally.registry), media_type=CONTENT_TYPE_LATEST)

    return app

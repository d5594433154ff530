"""The HTTP and WebSocket side of Fireside as one FastAPI app."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from api import (
    chat,
    chat_stream,
    counted,
    described,
    errors,
    models,
    page,
    socket,
    speech,
    speech_stream,
    status,
    stream_input,
    text,
    transcriptions,
)
from api.accounts import Accounts
from api.door import Door
from api.keys import KeyRing
from api.realtime import route as realtime
from api.release import VERSION
from api.requests import RequestIds
from api.runtime import Runtime
from api.watch import Watch
from models.base import ASGIApp
from settings.whole import Settings


def create_app(runtime: Runtime) -> FastAPI:
    app = FastAPI(title="Fireside", version=VERSION, docs_url=None, redoc_url=None)  # those pages fetch their scripts from elsewhere
    errors.install(app)
    if runtime.text:  # first, as routes are tried in their order
        app.router.routes.append(Route(chat_stream.ROUTE, chat.ChatGateway(runtime)))
        app.router.routes.extend(Route(path, gateway) for path, gateway in counted.gateways(runtime).items())
        app.router.routes.extend(Route(path, text.TextGateway(runtime, path)) for path in text.ROUTES)
    app.include_router(models.router(runtime))
    app.include_router(status.router(runtime))
    app.router.routes.extend(page.routes())
    if runtime.speech:
        app.include_router(speech.router(runtime))
        app.include_router(socket.router(runtime))
        app.include_router(speech_stream.router(runtime))
        app.include_router(stream_input.router(runtime))
    app.include_router(transcriptions.router(runtime))
    if runtime.text:
        app.include_router(realtime.router(runtime))
    app.openapi = described.Description(app, runtime)  # type: ignore[method-assign]  # FastAPI's way to another page
    return app


def in_front(app: ASGIApp, settings: Settings) -> ASGIApp:
    """What every request passes, on its way to our routes and to BentoML's."""
    guarded: ASGIApp = RequestIds(Door(app, settings, KeyRing(settings), Accounts()))
    guarded = Watch(guarded, contents=settings.logs.contents)
    origins = settings.access.origins
    if not origins:
        return guarded
    return CORSMiddleware(
        guarded, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=["x-request-id", "retry-after"]
    )

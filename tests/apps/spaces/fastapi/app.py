"""A web app with the features that proxies often break."""

import asyncio
import os
import time
import urllib.parse

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse

app = FastAPI()
ETAG = '"v1"'


@app.get("/items/")
def items():
    return ["one", "two"]


@app.get("/landing")
def landing(request: Request):
    return {"client": request.client.host, "url": str(request.url)}


@app.get("/relative")
def relative():
    return RedirectResponse("/landing?way=relative")


@app.get("/absolute")
def absolute(request: Request):
    """As frameworks do it that know nothing of proxies: from `Host`."""
    return RedirectResponse(f"{request.url.scheme}://{request.headers['host']}/landing?way=absolute", 303)


@app.get("/elsewhere")
def elsewhere():
    return RedirectResponse("https://example.org/landing")


@app.get("/cookies")
def cookies(request: Request):
    answer = JSONResponse(dict(request.cookies))
    answer.set_cookie("plain", "1", path="/")
    answer.set_cookie("bound", "2", domain=request.url.hostname, httponly=True)
    return answer


@app.get("/headers")
def headers(request: Request):
    return request.headers.items()


@app.api_route("/page", methods=["GET", "HEAD"])
def page(request: Request):
    if request.headers.get("if-none-match") == ETAG:
        return Response(status_code=304, headers={"etag": ETAG})
    return PlainTextResponse("a page\n", headers={"etag": ETAG})


@app.delete("/page")
def gone():
    return Response(status_code=204)


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type=request.headers.get("content-type"))


@app.get("/events")
async def events(steps: int = 5):
    async def stream():
        ticks = open(os.environ["TICKS_FILE"], "a", buffering=1)
        with ticks:
            for step in range(steps):
                ticks.write(f"{time.monotonic()}\n")
                yield f"id: {step}\ndata: {time.monotonic()}\n\n"
                await asyncio.sleep(0.3)

    return StreamingResponse(stream(), media_type="text/event-stream")


def hosts(headers):
    """The origin of the page, `Host`, and the host that frameworks go by which know of proxies."""
    origin = urllib.parse.urlsplit(headers.get("origin", ""))
    host = headers["host"]
    return origin, host, headers.get("x-forwarded-host", host).split(",")[-1].strip()


@app.post("/form")
async def form(request: Request):
    """A form that compares the whole origin, as Rails does."""
    origin, _, public = hosts(request.headers)
    base = f"{request.headers.get('x-forwarded-proto', request.url.scheme)}://{public}"
    if origin.geturl() != base:
        return PlainTextResponse(f"{origin.geturl()} is not {base}", 422)
    return RedirectResponse(f"{base}/landing?way=form", 303)


@app.post("/links")
async def links(request: Request):
    """Writes its own address into its answer."""
    return {"self": f"{request.url.scheme}://{hosts(request.headers)[2]}/items/"}


@app.websocket("/compares/{what}")
async def compares(socket: WebSocket, what: str):
    """Takes pages of its own only: by `Host`, as Tornado does, or by `X-Forwarded-Host`, as n8n does."""
    origin, host, public = hosts(socket.headers)
    if origin.netloc != (host if what == "host" else public):
        await socket.close()
        return
    await socket.accept()
    await socket.send_text("welcome")
    await socket.close()


@app.post("/token")
async def token():
    """The login route of the FastAPI tutorial."""
    return {"access_token": "of-the-app", "token_type": "bearer"}


@app.post("/api/embed")
async def embed(request: Request):
    return {"length": len(await request.body())}


@app.get("/crash")
def crash():
    raise RuntimeError("this app fails")


@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept(subprotocol="echo" if "echo" in socket.scope["subprotocols"] else None)
    await socket.send_json(dict(socket.headers))
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") == "close":
                await socket.close(4001, "as asked")
                return
            await socket.send({**message, "type": "websocket.send"})
    except WebSocketDisconnect:
        pass

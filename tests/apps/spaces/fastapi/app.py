"""What proxies get wrong about plain web apps."""

import asyncio
import os
import time

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

"""Each way in which clients use a Gradio app, on one page. Runs on Gradio 4, 5 and 6."""

import os
import shutil
import tempfile
import time

import gradio as gr


def greet(name):
    return f"Hello, {name}!"


def count(word):
    """Yields pieces, each with its time."""
    for step in range(5):
        yield f"{word} {step} {time.monotonic()}"
        time.sleep(0.4)


def endless(word):
    """Records the time of each step, until the caller leaves."""
    with open(os.environ["TICKS_FILE"], "a", buffering=1) as ticks:
        for step in range(600):
            ticks.write(f"{time.monotonic()}\n")
            yield f"{word} {step}"
            time.sleep(0.1)


def copied(file):
    path = os.path.join(tempfile.mkdtemp(), "copy.bin")
    shutil.copyfile(file, path)
    return path


def refuse(text):
    raise gr.Error(f"there is no {text} today")


def bump(total):
    return f"total {total + 1}", total + 1


def headers(request: gr.Request):
    # `Host` and `Origin` would tell where this app is.
    shown = [(name, value) for name, value in request.headers.items() if name not in ("host", "origin", "referer")]
    return "\n".join(f"{name}: {value}" for name, value in shown)


def chat(message, history):
    said = ""
    for word in f"You said: {message}".split():
        said += word + " "
        yield said.strip()


files = tempfile.mkdtemp()
open(os.path.join(files, "seen.txt"), "w").close()

with gr.Blocks(title="All ways") as demo:
    name = gr.Textbox(label="Name")
    greeting = gr.Textbox(label="Greeting")
    gr.Button("Greet").click(greet, name, greeting, api_name="greet")
    gr.Button("Count").click(count, name, greeting, api_name="count")
    gr.Button("Endless").click(endless, name, greeting, api_name="endless")
    gr.Button("Refuse").click(refuse, name, greeting, api_name="refuse")
    total = gr.State(0)
    gr.Button("Bump").click(bump, total, [greeting, total], api_name="bump")
    gr.Button("Headers").click(headers, None, greeting, api_name="headers")
    file = gr.File(label="File")
    copy = gr.File(label="Copy")
    gr.Button("Copy").click(copied, file, copy, api_name="copied")
    gr.ChatInterface(chat)
    typed, copied_text = gr.Textbox(label="Typed"), gr.Textbox(label="Typed copy")
    typed.change(str.upper, typed, copied_text)
    slider, copied_number = gr.Slider(0, 99, step=1, label="Slider"), gr.Textbox(label="Slider copy")
    slider.change(lambda number: f"at {number}", slider, copied_number)
    gr.FileExplorer(root_dir=files, label="Files")
    if hasattr(gr, "DeepLinkButton"):
        gr.DeepLinkButton()

if hasattr(demo, "route"):
    with demo.route("Second", "/second"):
        there = gr.Textbox(label="There")
        gr.Button("Greet there").click(greet, there, there, api_name="greet_there")

demo.launch()

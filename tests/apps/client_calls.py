"""What a Python script does with a Gradio app: `client_calls.py URL FOLDER`. Prints what came of it as JSON.

Runs with the `gradio_client` of the app's version.
"""

import json
import os
import sys
import time

from gradio_client import Client, handle_file


def main(url, folder):
    told = {}
    client = Client(url, download_files=os.path.join(folder, "downloads"), verbose=False)
    told["src"] = client.src
    told["endpoints"] = sorted(client.view_api(return_format="dict", print_info=False)["named_endpoints"])
    told["predict"] = client.predict("Ada", api_name="/greet")
    told["headers"] = client.predict(api_name="/headers")

    pieces = []
    for piece in client.submit("tick", api_name="/count"):
        pieces.append([piece, time.monotonic()])
    told["stream"] = pieces

    sent = os.path.join(folder, "sent.bin")
    with open(sent, "wb") as file:
        file.write(os.urandom(3_000_000))
    got = client.predict(handle_file(sent), api_name="/copied")
    with open(sent, "rb") as one, open(got, "rb") as other:
        told["file_is_equal"] = one.read() == other.read()
    told["file_is_another"] = os.path.realpath(sent) != os.path.realpath(got)

    told["chat"] = list(client.submit("good morning", api_name="/chat"))
    try:
        client.predict("tea", api_name="/refuse")
    except Exception as error:
        told["error"] = f"{type(error).__name__}: {error}"

    told["session"] = [client.predict(api_name="/bump") for _ in range(2)]
    told["other_session"] = Client(url, verbose=False).predict(api_name="/bump")
    print(json.dumps(told))


main(*sys.argv[1:])

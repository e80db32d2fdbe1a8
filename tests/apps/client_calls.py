"""Calls a Gradio app as a Python script does: `client_calls.py URL FOLDER`. Prints the results as JSON.

Runs with the `gradio_client` of the app's version.
"""

import json
import os
import sys
import time

from gradio_client import Client, handle_file


def main(url, folder):
    results = {}
    client = Client(url, download_files=os.path.join(folder, "downloads"), verbose=False)
    results["src"] = client.src
    results["endpoints"] = sorted(client.view_api(return_format="dict", print_info=False)["named_endpoints"])
    results["predict"] = client.predict("Ada", api_name="/greet")
    results["headers"] = client.predict(api_name="/headers")

    pieces = []
    for piece in client.submit("tick", api_name="/count"):
        pieces.append([piece, time.monotonic()])
    results["stream"] = pieces

    sent = os.path.join(folder, "sent.bin")
    with open(sent, "wb") as file:
        file.write(os.urandom(3_000_000))
    got = client.predict(handle_file(sent), api_name="/copied")
    with open(sent, "rb") as one, open(got, "rb") as other:
        results["file_is_equal"] = one.read() == other.read()
    results["file_is_another"] = os.path.realpath(sent) != os.path.realpath(got)

    results["chat"] = list(client.submit("good morning", api_name="/chat"))
    try:
        client.predict("tea", api_name="/refuse")
    except Exception as error:
        results["error"] = f"{type(error).__name__}: {error}"

    results["session"] = [client.predict(api_name="/bump") for _ in range(2)]
    results["other_session"] = Client(url, verbose=False).predict(api_name="/bump")
    print(json.dumps(results))


main(*sys.argv[1:])

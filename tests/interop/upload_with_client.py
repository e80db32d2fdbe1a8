"""Uploads a folder with the official client: `upload_with_client.py KIND REPO FOLDER [DELETE_PATTERN]`.

A process of its own, since the client reads its settings once, on import.
"""

import sys

from huggingface_hub import HfApi

kind, repo, folder, *delete = sys.argv[1:]
api = HfApi()
api.create_repo(repo, repo_type=kind, exist_ok=True, **({"space_sdk": "static"} if kind == "space" else {}))
api.upload_folder(repo_id=repo, repo_type=kind, folder_path=folder, delete_patterns=delete or None)

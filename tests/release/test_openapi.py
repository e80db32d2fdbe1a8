"""Tests tests/local-hub/openapi with its own documents.

python3 -m unittest discover tests/release
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "local-hub/openapi"


@unittest.skipUnless(shutil.which("jq"), "jq is not installed")
class OpenApi(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # A copy, because the script records the digest beside itself.
        self.script = Path(shutil.copy(SCRIPT, self.folder / "openapi"))
        self.publish({"info": {"version": "1"}, "paths": {"/a": {}}})
        self.run_script("--record")

    def publish(self, document, **layout):
        (self.folder / "published.json").write_text(json.dumps(document, **layout))

    def run_script(self, *mode):
        env = os.environ | {"HUB_OPENAPI_URL": f"file://{self.folder}/published.json"}
        command = [self.script, self.folder / "got/document.json", *mode]
        return subprocess.run(command, capture_output=True, text=True, env=env)

    def test_recorded_document_passes_in_any_layout(self):
        self.publish({"paths": {"/a": {}}, "info": {"version": "1"}}, indent=4)
        ran = self.run_script("--check")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(json.loads((self.folder / "got/document.json").read_text())["paths"], {"/a": {}})

    def test_changed_document_warns_and_check_exits_with_3(self):
        self.publish({"info": {"version": "1"}, "paths": {"/a": {}, "/b": {}}})
        for mode, code in [((), 0), (("--check",), 3)]:
            ran = self.run_script(*mode)
            self.assertEqual(ran.returncode, code, ran.stderr)
            self.assertIn("::warning::the Hub's OpenAPI document changed", ran.stdout)

    def test_page_that_is_no_document_fails_and_keeps_the_last_one(self):
        self.run_script()
        self.publish({"error": "not found"})
        ran = self.run_script()
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("no OpenAPI document", ran.stderr)
        self.assertIn("paths", json.loads((self.folder / "got/document.json").read_text()))


if __name__ == "__main__":
    unittest.main()

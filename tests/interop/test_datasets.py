"""The official `datasets` library loads what `dataset` uploaded: splits, columns and rows are equal."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from processes import USER, LocalHub, deploy

ROWS = {
    "train": [
        {"id": number, "text": f"größer {number}\n\"quoted\", and more", "score": number / 4 + 0.5, "is_even": number % 2 == 0}
        for number in range(2500)
    ],
    "validation": [{"id": 7, "text": "one, two", "score": 1.5, "is_even": False}],
    "test": [{"id": number, "text": str(number) + " x", "score": 0.25, "is_even": True} for number in range(3)],
}


@pytest.fixture
def datasets(hf):
    """Imports the library after the official client has its environment."""
    import datasets as library

    return library


@pytest.fixture
def upload(hub: LocalHub, tmp_path: Path):
    """Runs the action."""

    def run(folder: Path, repo: str, **inputs: str):
        inputs = {"path": ".", "repo": repo} | inputs
        ran = deploy(hub.endpoint, folder, tmp_path / "run", arguments=("dataset", "--from-inputs"), **inputs)
        return ran.expect("deployed")

    return run


def write_jsonl(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_json(path: Path, rows: list[dict]) -> None:
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def write_table(path: Path, rows: list[dict]) -> None:
    import pandas

    frame = pandas.DataFrame(rows)
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".parquet":
            frame.to_parquet(path, row_group_size=100)


WRITERS = {
    "jsonl": write_jsonl,
    "json": write_json,
    "csv": write_table,
    "tsv": write_table,
    "parquet": write_table,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_are_equal(kind: str, datasets, upload, new_repo, tmp_path: Path):
    folder, repo = tmp_path / "folder", new_repo(kind)
    folder.mkdir()
    write = WRITERS[kind]
    # Two shards, and names that are no patterns of the library.
    write(folder / f"train-00000-of-00002.{kind}", ROWS["train"][:1000])
    write(folder / f"train-00001-of-00002.{kind}", ROWS["train"][1000:])
    write(folder / f"val [1].{kind}", ROWS["validation"])
    write(folder / f"test.{kind}", ROWS["test"])
    (folder / "notes.txt").write_text("not a row\n")
    ran = upload(folder, repo)
    assert json.loads(ran.outputs["splits"]) == {split: len(rows) for split, rows in ROWS.items()}
    loaded = datasets.load_dataset(repo)
    assert list(loaded) == list(ROWS)
    for split, rows in ROWS.items():
        assert loaded[split].column_names == list(rows[0])
        assert loaded[split].to_list() == rows
    card = datasets.load_dataset_builder(repo)
    assert card.config.name == "default"


def test_configurations_and_splits_are_loaded_by_name(datasets, upload, new_repo, tmp_path: Path):
    repo = new_repo("configs")
    for name in ["en", "de"]:
        (tmp_path / "folder" / name).mkdir(parents=True)
        write_jsonl(tmp_path / "folder" / name / "easy.jsonl", [{"text": name}])
        write_jsonl(tmp_path / "folder" / name / "hard.jsonl", [{"text": name}, {"text": name * 2}])
    for name in ["en", "de"]:
        inputs = {"config_name": name, "include": f"/{name}/", "splits": "easy=easy.jsonl\nhard=hard.jsonl"}
        upload(tmp_path / "folder", repo, **inputs)
    assert datasets.get_dataset_config_names(repo) == ["en", "de"]
    assert datasets.load_dataset(repo, "de", split="hard").to_list() == [{"text": "de"}, {"text": "dede"}]


def test_rules_of_types_are_those_of_the_library(datasets, hub: LocalHub, new_repo, tmp_path: Path):
    """A folder is refused exactly if the library cannot load it."""
    first = {"number": {"a": 1}, "fraction": {"a": 1.5}, "text": {"a": "x"}, "list": {"a": [1]}, "struct": {"a": {"b": 1}}}
    pairs = [(one, two) for one in first for two in first]
    random.Random(1).shuffle(pairs)
    for one, two in pairs:
        folder = tmp_path / f"{one}-{two}"
        folder.mkdir()
        write_jsonl(folder / "a.jsonl", [first[one]])
        write_jsonl(folder / "b.jsonl", [first[two]])
        repo = new_repo("types")
        ran = deploy(
            hub.endpoint, folder, tmp_path / "run", arguments=("dataset", "--from-inputs"), path=".", repo=repo
        )
        if ran.code == 0:
            assert datasets.load_dataset(repo, split="train").num_rows == 2, (one, two)
        else:
            assert ran.outputs["error_code"] == "invalid_dataset", ran.stdout
            assert one != two


def test_memory_does_not_grow_with_the_files(hub: LocalHub, tmp_path: Path):
    peaks = []
    for rows in [1000, 300_000]:
        folder = tmp_path / f"rows-{rows}"
        folder.mkdir()
        row = json.dumps({"text": "x" * 200, "list": [1, 2, 3]}) + "\n"
        with (folder / "rows.jsonl").open("w") as file:
            for _ in range(rows // 1000):
                file.write(row * 1000)
        inputs = {"path": ".", "repo": f"{USER}/rows", "dry_run": "true"}
        ran = deploy(hub.endpoint, folder, tmp_path / "run", arguments=("dataset", "--from-inputs"), **inputs)
        assert ran.expect("dry-run").outputs["rows"] == str(rows)
        peaks.append(ran.peak_memory)
    # The large one has 70 MB. Its hashing reads ahead by a few blocks.
    assert peaks[1] - peaks[0] < 20_000_000, peaks

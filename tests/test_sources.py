"""Which files are meant by names, folders and patterns, and where their results go."""

from pathlib import Path

import pytest

from mvstylizer.errors import InputError, OutputError, UsageError
from mvstylizer.sources import Task, batch_tasks, is_batch, is_picture, result_name, single_task


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with clips/ and more in it."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "clips/b.mp4",
        "clips/A.MOV",
        "clips/c.jpg",
        "clips/.hidden.mp4",
        "clips/notes.txt",
        "clips/sub/d.mkv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "clips/e.mp4").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path


def meant(*inputs: str) -> list[str]:
    return [str(task.source) for task in batch_tasks(inputs, Path("out"))]


@pytest.mark.usefixtures("folder")
def test_a_folder_means_the_videos_and_pictures_in_it() -> None:
    """Sorted, without hidden files, other kinds, folders, and what lies deeper."""
    assert meant("clips") == meant("clips/") == ["clips/A.MOV", "clips/b.mp4", "clips/c.jpg"]


def test_a_pattern_means_what_it_matches(folder: Path) -> None:
    """As the shell would, also below folders, and from the root."""
    assert meant("clips/*.mp4") == ["clips/b.mp4"]
    assert meant("**/*.mkv") == meant("clips/*/*.mkv") == ["clips/sub/d.mkv"]
    assert meant(f"{folder}/clips/?.jpg") == [f"{folder}/clips/c.jpg"]


def test_a_file_wins_over_a_pattern(folder: Path) -> None:
    """A name with brackets is that file, where there is one."""
    (folder / "take[1].mp4").touch()
    assert meant("take[1].mp4") == ["take[1].mp4"]
    assert not is_batch(["take[1].mp4"], "out.mp4")


@pytest.mark.usefixtures("folder")
def test_inputs_keep_their_order_and_come_once() -> None:
    """What is named twice is done once; a name that is given is taken whatever its extension."""
    assert meant("clips/c.jpg", "clips", "clips/notes.txt", "clips/b.mp4") == [
        "clips/c.jpg", "clips/A.MOV", "clips/b.mp4", "clips/notes.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "result"),
    [("a.mp4", "a.mp4"), ("a.MKV", "a.MKV"), ("a.webm", "a.mp4"), ("a.b.avi", "a.b.mp4"), ("p.jpg", "p.jpg"),
     ("p.tiff", "p.png"), ("p.webp", "p.webp")],
)  # fmt: skip
def test_results_keep_their_names(source: str, result: str) -> None:
    """But for extensions that cannot be written."""
    assert result_name(Path("x") / source) == result


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["a.mp4"], "b.mp4", False),
        (["a.mp4"], "out", True),
        (["a.mp4"], "new/", True),
        (["a.mp4", "b.mp4"], "new", True),
        (["clips"], "new", True),
        (["*.mp4"], "new", True),
    ],
)
@pytest.mark.usefixtures("folder")
def test_where_the_output_is_a_folder(inputs: list[str], output: str, expected: bool) -> None:
    """With several inputs, a folder or a pattern, or where the output says that it is one."""
    assert is_batch(inputs, output) is expected


def test_what_matches_nothing_is_refused(folder: Path) -> None:
    """A folder or a pattern without a video or a picture is named; a missing file is left to whoever reads it."""
    for text in ("out", "clips/*.webm", "clips/*.txt"):
        with pytest.raises(InputError, match=text.replace("*", r"\*")):
            meant(text)
    assert meant("missing.mp4") == ["missing.mp4"]
    with pytest.raises(UsageError, match=r"a\*\*b"):
        meant("a**b/*.mp4")


def test_nothing_is_lost(folder: Path) -> None:
    """Neither may a result be a source, nor two results one file."""
    with pytest.raises(OutputError, match="source"):
        batch_tasks(["clips"], folder / "clips")
    (folder / "clips/b.webm").touch()
    with pytest.raises(OutputError, match=r"b\.mp4.*b\.webm"):
        batch_tasks(["clips"], Path("out"))


def test_one_file_stays_what_it_is() -> None:
    """A picture becomes a picture and a video a video."""
    assert single_task(Path("a.avi"), Path("b.mp4")) == Task(Path("a.avi"), Path("b.mp4"))
    for source, output in (("a.jpg", "b.mp4"), ("a.mp4", "b.jpg")):
        with pytest.raises(UsageError, match=output):
            single_task(Path(source), Path(output))
    assert is_picture(Path("A.JPEG")) and not is_picture(Path("a.gif"))

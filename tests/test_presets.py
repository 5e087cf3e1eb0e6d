"""Presets: style codes in a file without code, and everything that must not be taken for such a file."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.errors import ReleaseError
from mvstylizer.presets import MAX_PRESETS, is_preset_name, packed, unpacked

CODES = {name: np.arange(5, dtype=np.float32) + number for number, name in enumerate(("winter", "autumn-2", "file"))}


def saved(**arrays: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def test_codes_come_back_as_they_were() -> None:
    """Codes are read as they were written, to the last bit, sorted by name, whatever word the name is."""
    codes = unpacked(packed(CODES), 5)
    assert list(codes) == ["autumn-2", "file", "winter"]
    for name, code in codes.items():
        assert code.dtype == np.float32
        np.testing.assert_array_equal(code, CODES[name])


def test_the_same_codes_make_the_same_bytes() -> None:
    """The file depends on the codes alone, not on their order or the clock; numpy itself can read it."""
    data = packed(CODES)
    assert data == packed(dict(reversed(CODES.items())))
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        assert sorted(arrays.files) == sorted(CODES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        packed(CODES)[:-30],
        packed(CODES).replace(b"NUMPY", b"NUMPX"),
        saved(winter=np.zeros(4, np.float32)),
        saved(winter=np.zeros((5, 1), np.float32)),
        saved(winter=np.zeros(5)),
        saved(winter=np.full(5, np.nan, np.float32)),
        saved(Winter=np.zeros(5, np.float32)),
        saved(**{"../winter": np.zeros(5, np.float32)}),
        saved(**{64 * "a": np.zeros(5, np.float32)}),
        saved(winter=np.array([{"a": 1}], object)),
        saved(**{f"look-{n}": np.zeros(5, np.float32) for n in range(MAX_PRESETS + 1)}),
    ],
    ids=[
        "empty",
        "no zip",
        "cut",
        "no array",
        "short",
        "2-D",
        "double",
        "nan",
        "capital",
        "path",
        "long",
        "object",
        "many",
    ],
)
def test_what_holds_no_codes_is_refused(data: bytes) -> None:
    """Anything but finite float32 codes of the right size under proper names is a ReleaseError that names the file."""
    with pytest.raises(ReleaseError, match="presets of mine") as caught:
        unpacked(data, 5, "presets of mine")
    assert "\n" not in str(caught.value)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """An array that would run code when it is unpickled is refused without being run."""

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    trap = np.empty(5, object)
    trap[:] = [Trap() for _ in range(5)]
    with pytest.raises(ReleaseError):
        unpacked(saved(winter=trap), 5)
    assert not (tmp_path / "sprung").exists()


def test_names() -> None:
    """Names are short lower-case words with dashes, so none can be a path, a weight or a photo's sha256."""
    assert all(map(is_preset_name, ("winter", "golden-hour", "16mm", "a", 40 * "a")))
    for wrong in ("", "Winter", "a_b", "-a", "a-", "a--b", "a b", "a.jpg", "a/b", "a:1", "a,b", "é", "a\n", 41 * "a"):
        assert not is_preset_name(wrong)

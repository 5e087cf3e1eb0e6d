"""The engine on a real, exported release."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer import release as releases
from mvstylizer.device import KeyFrameStylizer
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import InputError, ReleaseError, UsageError
from mvstylizer.pictures import fit_within
from mvstylizer.styles import Part, Style
from tests.networks import Exported, smooth_picture
from tests.tiny_release import TINY_PRESETS


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    rgb = smooth_picture(height, width, seed)[0].permute(1, 2, 0).numpy()
    return np.ascontiguousarray((rgb * 255).astype(np.uint8))


@pytest.fixture(scope="module")
def engine(exported: Exported) -> Engine:
    return Engine(exported.directory, threads=1)


def test_it_knows_its_release(engine: Engine, exported: Exported) -> None:
    """Version, digest and code size are the release's."""
    release = releases.load(exported.directory)
    assert (engine.version, engine.sha256, engine.code_size) == (release.version, release.sha256, release.code_size)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (37, 64)])
def test_photos_of_any_size_become_codes(engine: Engine, size: tuple[int, int]) -> None:
    """A style code is (code_size,) float32 and finite, whatever the photo."""
    code = engine.encode_style(picture(*size))
    assert code.shape == (engine.code_size,) and code.dtype == np.float32 and np.isfinite(code).all()


def test_large_photos_are_encoded_at_a_fixed_size(engine: Engine) -> None:
    """A photo has the code of its reduced copy, so that its resolution is no part of its style."""
    photo = picture(400, 900)
    reduced = fit_within(photo, releases.STYLE_SIZE)
    assert reduced.shape[1] == releases.STYLE_SIZE
    np.testing.assert_array_equal(engine.encode_style(photo), engine.encode_style(reduced))


@pytest.mark.parametrize("r", [0.5, 1.0, 1.7, 2])
@pytest.mark.parametrize("size", [(1, 1), (33, 50)])
def test_frames_come_out_r_times_as_large(engine: Engine, size: tuple[int, int], r: float) -> None:
    """The stylized frame is (round(r·H), round(r·W), 3) uint8, contiguous, and the frame itself is left alone."""
    frame = picture(*size)
    before = frame.copy()
    frame.flags.writeable = False
    result = engine.stylize(frame, engine.encode_style(picture(20, 30, 1)), r)
    assert result.shape == (*releases.output_shape(*size, r), 3)
    assert result.dtype == np.uint8 and result.flags.c_contiguous
    np.testing.assert_array_equal(frame, before)


def test_frames_need_not_be_contiguous(engine: Engine) -> None:
    """A view into a larger picture, or a mirrored one, gives what its copy gives."""
    code, whole = engine.encode_style(picture(20, 30, 1)), picture(40, 60)
    for view in (whole[4:36, 8:48], whole[::-1, ::2]):
        np.testing.assert_array_equal(engine.stylize(view, code), engine.stylize(np.ascontiguousarray(view), code))


def test_the_style_decides(engine: Engine) -> None:
    """Another photo gives another picture; the same gives the same, every time."""
    frame, codes = picture(32, 40), [engine.encode_style(picture(24, 24, seed)) for seed in (1, 2)]
    first, second, again = (engine.stylize(frame, code) for code in (*codes, codes[0]))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - second).mean() > 1


@pytest.mark.parametrize("shape", [(0,), (5,), (1, 364), ()])
def test_codes_of_another_release_are_refused(engine: Engine, shape: tuple[int, ...]) -> None:
    """A code of another shape is an InputError that says what to do."""
    with pytest.raises(InputError, match="encode the style again"):
        engine.stylize(picture(8, 8), np.zeros(shape, np.float32))


@pytest.mark.parametrize("r", [0.0, -1.0, float("nan"), float("inf"), float("-inf")])
def test_impossible_factors_are_refused(engine: Engine, r: float) -> None:
    """Zero, negative, infinite and not even a number: no factor to scale by."""
    with pytest.raises(InputError, match="factor"):
        engine.stylize(picture(8, 8), engine.encode_style(picture(8, 8)), r)


def test_threads_share_one_engine(engine: Engine) -> None:
    """Frames of several sizes stylized at the same time are what they are one by one."""
    code = engine.encode_style(picture(24, 24, 1))
    frames = [picture(16 + 8 * i, 40 - 4 * i, i) for i in range(6)]
    expected = [engine.stylize(frame, code) for frame in frames]
    with ThreadPoolExecutor(3) as workers:
        results = list(workers.map(lambda frame: engine.stylize(frame, code), frames))
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("name", releases.GRAPHS)
def test_garbage_that_the_manifest_vouches_for_is_refused(exported: Exported, tmp_path: Path, name: str) -> None:
    """A graph with the right sha256 that ONNX Runtime cannot load is a ReleaseError that names it."""
    directory = tmp_path / "release"
    shutil.copytree(exported.directory, directory)
    for garbage in (b"garbage", b"", (directory / name).read_bytes()[:5000]):
        (directory / name).write_bytes(garbage)
        manifest = json.loads((directory / releases.MANIFEST).read_text())
        manifest["files"][name]["sha256"] = releases.sha256(garbage)
        (directory / releases.MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(ReleaseError, match=name):
            Engine(directory)


def test_damaged_and_missing_releases_are_refused(exported: Exported, tmp_path: Path) -> None:
    """What release.load refuses the engine does not run."""
    directory = tmp_path / "release"
    shutil.copytree(exported.directory, directory)
    (directory / releases.STYLE_GRAPH).write_bytes(b"garbage")
    for place in (directory, tmp_path / "none"):
        with pytest.raises(ReleaseError):
            Engine(place)


def test_key_frames_are_stylized_in_the_background(engine: Engine) -> None:
    """The local stylizer is what the device asks for: style in, key frames in, the engine's pictures out in order."""
    local: KeyFrameStylizer = LocalStylizer(engine)
    photo, proxies = picture(24, 24, 1), [picture(24, 40, seed) for seed in range(3)]
    local.set_style(Style.of_photo(photo))
    futures = [local.submit(proxy, r) for proxy, r in zip(proxies, (1.0, 0.5, 2.0), strict=True)]
    code = engine.encode_style(photo)
    for proxy, r, future in zip(proxies, (1.0, 0.5, 2.0), futures, strict=True):
        np.testing.assert_array_equal(future.result(60), engine.stylize(proxy, code, r))
    local.close()


def test_a_style_comes_before_the_first_key_frame(engine: Engine) -> None:
    """Without a style there is nothing to submit, and after close nothing is taken any more."""
    local = LocalStylizer(engine)
    with pytest.raises(RuntimeError, match="set_style"):
        local.submit(picture(8, 8))
    local.set_style(Style.of_photo(picture(8, 8)))
    local.close()
    with pytest.raises(RuntimeError):
        local.submit(picture(8, 8))


def test_a_style_may_be_a_blend(engine: Engine) -> None:
    """Of several photos key frames get the weighted mean of the codes; of one, exactly what the engine gives."""
    local, proxy, photos = LocalStylizer(engine), picture(24, 32), [picture(16, 16, seed) for seed in (1, 2)]
    first, second = (engine.encode_style(photo) for photo in photos)
    for weights, code in (((0.7, 0.3), 0.7 * first + 0.3 * second), ((1, 1e-30), first)):
        local.set_style(Style(tuple(Part(photo, w) for photo, w in zip(photos, weights, strict=True))))
        found = local.submit(proxy).result(60)
        assert np.abs(found.astype(int) - engine.stylize(proxy, code.astype(np.float32))).max() <= 1
    local.set_style(Style.of_photo(photos[1]))
    np.testing.assert_array_equal(local.submit(proxy).result(60), engine.stylize(proxy, second))
    local.close()


def test_a_style_may_be_a_preset(preset_release: Path) -> None:
    """A preset's code is the style, alone or with photos; one that the release lacks is explained."""
    engine = Engine(preset_release, threads=1)
    local, proxy, photo = LocalStylizer(engine), picture(24, 32), picture(16, 16, 1)
    warm, cold = (TINY_PRESETS[name] for name in ("warm-light", "cold-light"))
    local.set_style(Style.of_preset("warm-light"))
    np.testing.assert_array_equal(local.submit(proxy).result(60), engine.stylize(proxy, warm))
    local.set_style(Style((Part("warm-light"), Part("cold-light"), Part(photo, 2.0))))
    code = np.asarray((warm + cold) / 4 + engine.encode_style(photo) / 2, np.float32)
    assert np.abs(local.submit(proxy).result(60).astype(int) - engine.stylize(proxy, code)).max() <= 1
    with pytest.raises(UsageError, match=r"no file 'winter'.*tiny-1.*cold-light, warm-light"):
        local.set_style(Style.of_preset("winter"))
    local.close()


def test_a_release_in_memory_runs(preset_release: Path) -> None:
    """The engine takes a loaded release as well as its directory."""
    release = releases.load(preset_release)
    engine = Engine(release, threads=1)
    assert (engine.sha256, list(engine.presets)) == (release.sha256, ["cold-light", "warm-light"])
    assert engine.encode_style(picture(8, 8)).shape == (engine.code_size,)


def test_errors_of_a_key_frame_arrive_with_it(engine: Engine) -> None:
    """A key frame that cannot be stylized raises where its result is asked for, and the next one is fine."""
    local = LocalStylizer(engine)
    local.set_style(Style.of_photo(picture(8, 8)))
    wrong, right = local.submit(picture(8, 8), -1.0), local.submit(picture(8, 8))
    with pytest.raises(InputError):
        wrong.result(60)
    assert right.result(60).shape == (8, 8, 3)
    local.close()


def test_the_bundled_release_stylizes() -> None:
    """Out of the box: a photo's light comes over the frame, and a frame in its own style stays nearly as it is."""
    if not releases.bundled().exists():
        pytest.skip(f"no bundled release yet in {releases.bundled()}")
    engine = Engine(threads=1)
    frame, photo = picture(96, 128), picture(96, 128, 5)
    result = engine.stylize(frame, engine.encode_style(photo))
    before, after = (np.abs(x.mean((0, 1)) - photo.mean((0, 1))).mean() for x in (frame, result))
    assert after < 0.5 * before
    own = engine.stylize(frame, engine.encode_style(frame))
    assert np.abs(own.astype(int) - frame).mean() < 12

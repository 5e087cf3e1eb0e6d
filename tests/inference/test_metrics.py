"""What an edge counts is what happened."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

PNG = {"Content-Type": "image/png"}


async def _values(http: aiohttp.ClientSession) -> dict[tuple[str, ...], float]:
    async with http.get("/metrics") as reply:
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("text/plain")
        families = list(text_string_to_metric_families(await reply.text()))
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


async def test_requests_stages_bytes_and_refusals_are_counted(
    http: aiohttp.ClientSession, style: str, frame_png: bytes, photo_png: bytes
) -> None:
    """By the route's pattern and the status; refusals by their code; ids and junk never become labels."""
    for _ in range(2):
        await (await http.post(f"/v1/stylize?style={style}", data=frame_png, headers=PNG)).read()
    await (await http.post(f"/v1/stylize?style={'0' * 64}", data=frame_png, headers=PNG)).read()
    await (await http.get("/../junk/of/an/attacker")).read()
    values = await _values(http)
    assert values["mvstylizer_requests_total", "/v1/stylize", "200"] == 2
    assert values["mvstylizer_requests_total", "/v1/stylize", "404"] == 1
    assert values["mvstylizer_requests_total", "/v1/styles/{id}", "201"] == 1
    assert values["mvstylizer_refusals_total", "unknown-style"] == 1
    assert values["mvstylizer_requests_total", "unknown", "404"] == 1
    assert not [key for key in values if "junk" in "".join(key)]
    for stage in ("decode", "queue", "infer", "encode"):
        assert values["mvstylizer_stage_seconds_count", stage] == 2
    assert values["mvstylizer_request_seconds_count", "/v1/stylize"] == 3
    assert values["mvstylizer_received_bytes_total",] == 3 * len(frame_png) + len(photo_png)
    assert values["mvstylizer_sent_bytes_total",] > 0
    assert values["mvstylizer_styles",] == 1
    assert values["mvstylizer_ready",] == 1
    assert values["process_open_fds",] > 0
    assert ("mvstylizer_model_info", "test-1", "0" * 64) in values or (
        "mvstylizer_model_info", "0" * 64, "test-1"
    ) in values  # fmt: skip

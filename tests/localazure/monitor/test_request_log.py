"""Traffic records: only for endpoints that ask, with the table's columns, without the key, in bounded files."""

from __future__ import annotations

import json

from localazure.monitor import request_log
from localazure.monitor.request_log import LoggedEndpoint, RequestLog, asks_for
from localazure.scoring.served import ServedRequest

FRAUD = LoggedEndpoint({"EndpointName": "Fraud", "AuthType": "Key"})
HEADERS = (
    (b"Authorization", b"Bearer very-secret"),
    (b"User-Agent", b"curl/8 \xff"),
    (b"X-MS-Client-Request-Id", b"client-7"),
)


def served(endpoint: str = "Fraud", status: int = 424) -> ServedRequest:
    return ServedRequest(
        endpoint, "blue", "req-1", "POST", "/score?a=1", 1_800_000_000.0, 0.25, status, 500, 10, 20, headers=HEADERS
    )


def test_a_record_has_the_columns_of_the_table_and_never_the_key(tmp_path):
    log = RequestLog(tmp_path)
    log.choose({"fraud": FRAUD})
    log.observe(served())
    log.observe(served("other"))
    log.flush()
    text = (tmp_path / "fraud.jsonl").read_text()
    assert "very-secret" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["fraud.jsonl"]
    row = json.loads(text)
    assert row["TimeGenerated"] == "2027-01-15T08:00:00.250+00:00"
    assert (row["EndpointName"], row["DeploymentName"], row["Method"], row["Path"]) == (
        *("Fraud", "blue", "POST", "/score?a=1"),
    )
    assert (row["ResponseCode"], row["ModelStatusCode"], row["ModelStatusReason"]) == (
        424,
        500,
        "Internal Server Error",
    )
    assert (row["XRequestId"], row["XMSClientRequestId"], row["UserAgent"]) == ("req-1", "client-7", "curl/8 \ufffd")
    assert (row["TotalDurationMs"], row["RequestPayloadSize"], row["ResponsePayloadSize"]) == (250, 10, 20)


def test_an_endpoint_that_no_longer_asks_is_no_longer_logged(tmp_path):
    log = RequestLog(tmp_path)
    log.choose({"fraud": FRAUD})
    log.choose({})
    log.observe(served())
    log.flush()
    assert not list(tmp_path.iterdir())


def test_files_and_what_waits_are_bounded_and_a_full_disk_costs_only_records(tmp_path, monkeypatch):
    monkeypatch.setattr(request_log, "MAX_BYTES", 1000)
    monkeypatch.setattr(request_log, "MAX_WAITING", 5)
    log = RequestLog(tmp_path)
    log.choose({"fraud": FRAUD})
    for _ in range(10):
        for _ in range(5):
            log.observe(served())
        log.flush()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fraud.jsonl", "fraud.old.jsonl"]
    for _ in range(7):
        log.observe(served())
    assert log.dropped == 2
    (tmp_path / "fraud.jsonl").unlink()
    (tmp_path / "fraud.jsonl").mkdir()
    log.flush()
    assert log.dropped == 7


def test_which_settings_ask():
    assert asks_for({"logs": [{"category": "amlonlineendpointtrafficlog", "enabled": True}]})
    assert asks_for({"logs": [{"categoryGroup": "allLogs", "enabled": True}]})
    assert not asks_for({"logs": [{"category": "AmlOnlineEndpointTrafficLog", "enabled": False}]})
    assert not asks_for({"logs": [{"category": "AmlOnlineEndpointConsoleLog", "enabled": True}, None]})
    assert not asks_for({})

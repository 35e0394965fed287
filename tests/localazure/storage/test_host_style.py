"""Addresses with the account in the host, as az derives them from --account-name."""

import requests

from tests.localazure.storage.accounts import make_account
from tests.waiting import HANGS

HOST = "stacc1.blob.localhost"


def ask(azure, method, path, *, host=HOST, **more):
    """One request to a name that need not resolve."""
    port = azure.http.rpartition(":")[2]
    headers = {
        "Host": f"{host}:{port}",
        "Authorization": "Bearer x",
        "x-ms-version": "2023-11-03",
        **more.pop("headers", {}),
    }
    return requests.request(method, f"{azure.http}{path}", headers=headers, timeout=HANGS, **more)


def test_containers_and_blobs_are_found_by_the_name_in_the_host(start_local_azure):
    azure = start_local_azure()
    url = make_account(azure)
    assert ask(azure, "PUT", "/data?restype=container").status_code == 201
    block = {"x-ms-blob-type": "BlockBlob"}
    assert ask(azure, "PUT", "/data/a/b.txt", headers=block, data=b"text").status_code == 201
    assert ask(azure, "GET", "/data/a/b.txt").content == b"text"
    assert "<Name>a/b.txt</Name>" in ask(azure, "GET", "/data?restype=container&comp=list").text
    assert "<Name>data</Name>" in ask(azure, "GET", "/?comp=list").text
    by_path = requests.get(
        f"{url}data/a/b.txt", headers={"Authorization": "Bearer x"}, verify=azure.trust, timeout=HANGS
    )
    assert by_path.content == b"text"


def test_a_container_may_be_called_as_a_path_of_the_server_is(start_local_azure):
    azure = start_local_azure()
    make_account(azure)
    block = {"x-ms-blob-type": "BlockBlob"}
    for path in ("metadata/endpoints", "subscriptions/x", "msi/token", "common/oauth2/v2.0/token", "v1.0x/users"):
        container = path.partition("/")[0]
        if len(container) > 2 and "." not in container:
            assert ask(azure, "PUT", f"/{container}?restype=container").status_code == 201
            assert ask(azure, "PUT", f"/{path}", headers=block, data=b"own").status_code == 201
            assert ask(azure, "GET", f"/{path}").content == b"own"


def test_an_unknown_account_is_named_and_controls_stay_closed(start_local_azure):
    azure = start_local_azure()
    answer = ask(azure, "GET", "/data?restype=container&comp=list", host="other.blob.localhost")
    assert (answer.status_code, "account named other" in answer.text) == (404, True)
    for path in ("/_local/health", "/_local/status"):
        assert ask(azure, "GET", path).status_code == 421
    assert ask(azure, "GET", "/", host="stacc1.blob.localhost.evil.example").status_code == 421
    assert ask(azure, "GET", "/", host="stacc1.file.localhost").status_code == 421


def test_faults_on_blobs_hit_these_addresses_too(start_local_azure):
    azure = start_local_azure()
    make_account(azure)
    token = (azure.home / "control.token").read_text()
    fault = {"kind": "500", "status": 503, "type": "blobs", "name": "stacc1", "count": 1}
    made = requests.post(f"{azure.http}/_local/faults", json=fault, headers={"X-Local-Token": token}, timeout=HANGS)
    assert made.status_code == 201, made.text
    assert ask(azure, "GET", "/?comp=list").status_code == 503
    assert ask(azure, "GET", "/?comp=list").status_code == 200

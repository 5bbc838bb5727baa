"""Pages stand behind the guard, ask nothing of other hosts, and leave the API as it was."""

import re

import pytest
from starlette.websockets import WebSocketDisconnect

from phosphene.web.guard import Guard
from phosphene.web.pages.places import PLACES
from tests.web.served import BASE, error_of, served

TOKEN = "correct horse"
HTML = {"accept": "text/html"}
UPGRADE = {"upgrade": "websocket"}  # which the test client leaves out
SOCKET = f"ws{BASE[4:]}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
def locked(tmp_path):
    with served(tmp_path / "share", Guard(TOKEN)) as client:
        yield client


@pytest.mark.parametrize("path", PLACES)
def test_a_page_loads_from_this_host_alone(client, path):
    response = client.get(path, headers=HTML)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["cache-control"].endswith("no-store")
    assert len(response.headers.get_list("content-security-policy")) == 1
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)|url\(["']?([^"')]+)""", response.text)
    found = [a or b for a, b in loaded if not (a or b).startswith("data:")]
    assert found
    for address in found:
        assert re.match(r"/(?!/)|#|\./", address), address


def test_other_paths_are_errors_of_ours(client):
    for path in ("/nothing", "/imagine/x", "/_niceguix", "/static/x"):
        response = client.get(path, headers=HTML)
        assert (response.status_code, error_of(response)["code"]) == (404, "not_found")
    assert client.get("/favicon.ico").headers["content-type"].startswith("image/")


def test_pages_need_the_token(locked):
    for path in (*PLACES, "/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/favicon.ico"):
        assert locked.get(path).status_code == 401
    led = locked.get("/imagine?prompt=fox+%26", headers=HTML, follow_redirects=False)
    assert led.status_code == 303
    assert led.headers["location"] == "/login?next=%2Fimagine%3Fprompt%3Dfox%2B%2526"
    cookie = {"cookie": f'phosphene-token="{TOKEN}"'}
    assert "phosphene" in locked.get("/imagine", headers={**HTML, **cookie}).text


def test_a_name_that_was_rebound_gets_no_page(client):
    response = client.get("/imagine", headers={"host": "evil.example", **HTML})
    assert response.status_code == 421


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"host": "evil.example"}],
)
def test_pages_of_other_sites_get_no_socket(client, headers):
    with pytest.raises(WebSocketDisconnect), _socket(client, headers):
        pass
    with client.websocket_connect(SOCKET, headers={"origin": BASE, **UPGRADE}) as socket:
        assert socket.receive_text().startswith("0{")


def test_without_the_token_there_is_no_socket(locked):
    with pytest.raises(WebSocketDisconnect), _socket(locked, {}):
        pass
    cookie = {"cookie": f'phosphene-token="{TOKEN}"', "origin": BASE, **UPGRADE}
    with locked.websocket_connect(SOCKET, headers=cookie) as socket:
        assert socket.receive_text().startswith("0{")


def test_other_sockets_are_closed(client):
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/other"):
        pass


def _socket(client, headers):
    return client.websocket_connect(SOCKET, headers={**UPGRADE, **headers})

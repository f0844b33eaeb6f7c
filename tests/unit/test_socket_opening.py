"""A peer may count on what its user is told from the moment that it is connected."""

from types import SimpleNamespace

from hoist.domain.model import Principal
from hoist.gateway.sessions import Sessions
from hoist.gateway.socket import ConnectionClosed
from hoist.gateway.websocket import SocketLife


def test_it_is_told_that_it_is_connected_once_its_user_is_listened_to():
    said, sessions = [], Sessions()
    told = {"userId": "ada", "connectionId": None, "body": {"event": "early"}}

    class Socket:
        def accept(self):
            said.append(f"accept, {len(sessions.by_id)} open")
            sessions.deliver(told)
            raise ConnectionClosed

        def send(self, *texts):
            said.append(texts)

        def close(self, *_):
            pass

    def noted(word):
        return lambda *_: said.append(word)

    services = SimpleNamespace(
        settings=SimpleNamespace(gateway_url="http://here"),
        clock=lambda: 0,
        feed=SimpleNamespace(add=noted("hear"), remove=noted("hear no more")),
        connections=SimpleNamespace(add=noted("enter"), remove=noted("leave")),
    )
    request = SimpleNamespace(remote_addr="", headers={})
    life = SocketLife(services, sessions, None, None)
    life(Socket(), Principal("ada", "basic", (), 0), request)
    assert said[:3] == ["hear", "enter", "accept, 1 open"]
    assert said[-2:] == ["leave", "hear no more"]
    assert sessions.by_id == {}

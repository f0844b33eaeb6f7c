"""The client library: upload, follow, list and download, over a WebSocket or REST."""

from hoist.client.api import Client
from hoist.client.issuer import Issuer
from hoist.client.problems import HoistProblem, NotLoggedIn, Retry, Stopped, Unreachable
from hoist.client.tokens import MemoryStore, Session, StaticToken, Tokens, TokenSource
from hoist.client.uploads import Upload
from hoist.client.views import File, FilePage, Me, UploadView

__all__ = [
    "Client",
    "File",
    "FilePage",
    "HoistProblem",
    "Issuer",
    "Me",
    "MemoryStore",
    "NotLoggedIn",
    "Retry",
    "Session",
    "StaticToken",
    "Stopped",
    "TokenSource",
    "Tokens",
    "Unreachable",
    "Upload",
    "UploadView",
]

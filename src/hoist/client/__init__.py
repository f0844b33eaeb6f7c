"""The client library: upload, follow, list, change, share and download."""

from hoist.client.api import Client
from hoist.client.download_all import Downloaded
from hoist.client.filters import Filters
from hoist.client.issuer import Issuer
from hoist.client.problems import HoistProblem, NotLoggedIn, Retry, Stopped, Unreachable
from hoist.client.tokens import MemoryStore, Session, StaticToken, Tokens, TokenSource
from hoist.client.uploads import Upload
from hoist.client.views import Archive, File, FilePage, Me, Share, UploadView

__all__ = [
    "Archive",
    "Client",
    "Downloaded",
    "File",
    "FilePage",
    "Filters",
    "HoistProblem",
    "Issuer",
    "Me",
    "MemoryStore",
    "NotLoggedIn",
    "Retry",
    "Session",
    "Share",
    "StaticToken",
    "Stopped",
    "TokenSource",
    "Tokens",
    "Unreachable",
    "Upload",
    "UploadView",
]

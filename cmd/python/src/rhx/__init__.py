"""rhx: credentials found on this machine, kept in a store, and put to use.

    import rhx

    rhx.provider_secret("aws").save()          # from this machine to the store
    rhx.secret("aws").values["secret_key"]     # prints as ********; .reveal() is the text
    rhx.secret("aws").to("gpu-01", "gpu-02")   # over SSH
    rhx.run(["python", "train.py"], ["openai"])

The program rhx does the work; this module speaks to it by pipes. The guide is
docs/python.md of rhx.
"""

from __future__ import annotations

from ._client import Client
from ._errors import Conflict, Denied, Error, NotFound, NotInstalled, Timeout
from ._process import own_version as _own_version
from ._secret import Placed, Secret
from ._value import Value, Values

_client = Client()
secret = _client.secret
provider_secret = _client.provider_secret
secrets = _client.secrets
detect = _client.detect
providers = _client.providers
env = _client.env
sync = _client.sync
run = _client.run

for _public in (Client, Conflict, Denied, Error, NotFound, NotInstalled, Placed, Secret, Timeout, Value, Values):
    _public.__module__ = __name__  # where people find them

__version__ = _own_version()
__all__ = [
    "Client",
    "Conflict",
    "Denied",
    "Error",
    "NotFound",
    "NotInstalled",
    "Placed",
    "Secret",
    "Timeout",
    "Value",
    "Values",
    "detect",
    "env",
    "provider_secret",
    "providers",
    "run",
    "secret",
    "secrets",
    "sync",
]

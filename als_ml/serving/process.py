"""A server process: uvicorn around `als_ml.serving.app`.

`python -m als_ml.serving.process` in the folder that `SETTINGS` describes.
"""

import json
import ssl
from pathlib import Path

import uvicorn

from als_ml.serving.app import SETTINGS
from als_ml.serving.logs import log_to_standard_error
from als_ml.serving.protocol import TimedProtocol
from features import bounds
from features.stored import Json


def configured(settings: Json) -> uvicorn.Config:
    """How the server runs.

    Parameters
    ----------
    settings : dict
        Of `SETTINGS`: host, port, workers, tls.

    Returns
    -------
    Config
        Of uvicorn.
    """
    tls = settings["tls"]
    asked = ssl.CERT_REQUIRED if tls.get("client_ca") else ssl.CERT_NONE
    return uvicorn.Config(
        "als_ml.serving.app:make_app",
        factory=True,
        host=settings["host"],
        port=settings["port"],
        workers=settings["workers"],
        http=TimedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=bounds.IDLE_SECONDS,
        ssl_certfile=tls.get("certificate"),
        ssl_keyfile=tls.get("key"),
        ssl_ca_certs=tls.get("client_ca"),
        ssl_cert_reqs=asked,
    )


def main() -> None:
    """Run the server that the working folder describes."""
    settings = json.loads(Path(SETTINGS).read_text(encoding="utf-8"))
    log_to_standard_error(settings["access_log"])
    config = configured(settings)
    if config.workers == 1:
        uvicorn.Server(config).run()
        return
    from uvicorn.supervisors import Multiprocess

    Multiprocess(config, sockets=[config.bind_socket()]).run()


if __name__ == "__main__":
    main()

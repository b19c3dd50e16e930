"""What this process takes from its environment. Nothing is read at import."""

import os
import secrets
import socket
from pathlib import Path
from typing import Self

from prefect.settings import get_current_settings
from pydantic import BaseModel, ConfigDict

from tasks.adapters.local_server import default_state_dir


class Settings(BaseModel):
    """Where state is kept, which Prefect API is used, and who this process is."""

    model_config = ConfigDict(frozen=True)

    home: Path
    prefect_api_url: str | None
    prefect_auth: str | None
    prefect_api_key: str | None
    process: str
    is_own_server: bool = False  # the API is a server that the command line started

    @classmethod
    def read(cls) -> Self:
        """Read the environment and Prefect's own settings (profile included)."""
        prefect = get_current_settings()
        auth, key = prefect.api.auth_string, prefect.api.key
        return cls(
            home=default_state_dir(os.environ),
            prefect_api_url=prefect.api.url,
            prefect_auth=auth.get_secret_value() if auth else None,
            prefect_api_key=key.get_secret_value() if key else None,
            process=f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}",
        )

    def with_own_server(self, url: str) -> Self:
        """Return the same settings for a Prefect server of this person's own."""
        nobody = {"prefect_auth": None, "prefect_api_key": None}
        return self.model_copy(update={"prefect_api_url": url, "is_own_server": True, **nobody})

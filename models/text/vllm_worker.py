"""What is mixed into vLLM's worker processes (its own `worker_extension_cls`). vLLM imports this file in each of them."""

from __future__ import annotations

import os


class OutOfGroup:
    """Whose worker can leave the process group of the server. A SIGTERM or Ctrl-C for the group ends a worker at once, and with it the
    requests that the server still wants to finish; EngineCore itself waits for them. The worker ends when EngineCore does."""

    def leave_group(self) -> None:
        os.setpgid(0, 0)

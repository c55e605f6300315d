"""Which paths hold secrets, and the decoys that stand in their place.

The list follows what build-time malware has looked for (SSH keys, registry tokens, cloud credentials, shell rc files to
persist in); the decoys hold nothing, and a touch of one is a finding.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable

# (path below HOME, content). Formats look right; every value is void.
_KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "ZGVjb3ktb2YtY2FyZ28tc2FuZGJveC10aGlzLWlzLW5vdC1hLWtleQ==\n"
    "-----END OPENSSH PRIVATE KEY-----\n"
)
DECOYS: tuple[tuple[str, str], ...] = (
    (".ssh/id_ed25519", _KEY),
    (".ssh/id_rsa", _KEY),
    (".ssh/config", "Host *\n    AddKeysToAgent no\n"),
    (".ssh/authorized_keys", ""),
    (".aws/credentials", "[default]\naws_access_key_id = AKIADECOYDECOYDECOY0\naws_secret_access_key = decoy\n"),
    (".aws/config", "[default]\nregion = us-east-1\n"),
    (".cargo/credentials.toml", '[registry]\ntoken = "cioDecoyDecoyDecoyDecoyDecoyDecoy00"\n'),
    (".netrc", "machine decoy.invalid login decoy password decoy\n"),
    (".git-credentials", "https://decoy:decoy@decoy.invalid\n"),
    (".npmrc", "//decoy.invalid/:_authToken=npm_decoy\n"),
    (".pypirc", "[pypi]\nusername = __token__\npassword = pypi-decoy\n"),
    (".docker/config.json", '{"auths":{"decoy.invalid":{"auth":"ZGVjb3k6ZGVjb3k="}}}\n'),
    (".kube/config", "apiVersion: v1\nkind: Config\nclusters: []\n"),
    (".config/gh/hosts.yml", "decoy.invalid:\n    oauth_token: gho_decoy\n    user: decoy\n"),
    (".config/gcloud/application_default_credentials.json", '{"type":"authorized_user","client_id":"decoy"}\n'),
    (".azure/accessTokens.json", "[]\n"),
    (".gnupg/secring.gpg", ""),
    (".bashrc", "# ~/.bashrc\n"),
    (".bash_profile", "# ~/.bash_profile\n"),
    (".profile", "# ~/.profile\n"),
    (".zshrc", "# ~/.zshrc\n"),
    (".config/fish/config.fish", "# config.fish\n"),
    (".bash_history", ""),
)

# Files that a shell may read for a good reason; only writing them is damning.
RC_FILES = frozenset(
    {".bashrc", ".bash_profile", ".profile", ".zshrc", ".config/fish/config.fish", ".bash_history", ".ssh/config"}
)

# Whole directories below HOME that a plan may never mount, nor anything in them.
SECRET_DIRS = (
    ".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".config/gh", ".config/gcloud", ".password-store",
    ".mozilla", ".config/google-chrome", ".local/share/keyrings", ".config/op", ".terraform.d",
)  # fmt: skip
SECRET_NAMES = frozenset({"credentials.toml", ".netrc", ".git-credentials", ".npmrc", ".pypirc", ".vault-token"})


def is_within(path: str, top: str) -> bool:
    """Whether `path` is `top` or lies below it. Lexical; both absolute and normalised."""
    return path == top or path.startswith(top.rstrip("/") + "/")


def secret_reason(source: str, homes: Iterable[str]) -> str | None:
    """Why a host path may not be mounted, or None.

    A path is refused when it is a credential file, lies in a directory of secrets, or holds a whole home directory.
    """
    path = os.path.normpath(source)
    name = os.path.basename(path)
    if name in SECRET_NAMES or (name == "credentials" and os.path.basename(os.path.dirname(path)) == ".cargo"):
        return "it is a credential file"
    for home in homes:
        if is_within(home, path):
            return f"it holds the home directory {home}"
        for secret in SECRET_DIRS:
            top = f"{home.rstrip('/')}/{secret}"
            if is_within(path, top):
                return f"it lies in {top}, which holds secrets"
    return None

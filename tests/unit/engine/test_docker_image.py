"""Which image a word means, and which ones are refused."""

from __future__ import annotations

from typing import Any, cast

import pytest
from docker.errors import APIError, NotFound

from sandbox import resources
from sandbox.engine import docker_image
from sandbox.engine.docker_image import BUILDER, KIND_LABEL, MANIFEST_LABEL, Image, find
from sandbox.errors import ImageError, SetupError

OURS = {KIND_LABEL: "builder", MANIFEST_LABEL: "sha256:22"}


class Daemon:
    """One that has the given images: labels by name."""

    def __init__(self, images: dict[str, dict[str, str]], **config: Any) -> None:
        self.images = images
        self.config = config

    def inspect_image(self, name: str) -> dict[str, Any]:
        if name not in self.images:
            raise NotFound(f"No such image: {name}")
        return {"Id": "sha256:11", "Config": {"Labels": self.images[name] or None, **self.config}}


def look(reference: str, images: dict[str, dict[str, str]], **config: Any) -> Image:
    return find(cast(Any, Daemon(images, **config)), reference)


def test_builder_is_our_newest_one_with_the_digest_of_its_list_of_packages() -> None:
    assert look("builder", {f"{BUILDER}:latest": OURS}) == Image("sha256:11", "sha256:22")


def test_an_image_of_the_users_is_taken_by_name_and_its_labels_say_nothing() -> None:
    assert look("builder:latest", {"builder:latest": OURS}) == Image("sha256:11")
    assert look("mine", {"mine": {}}) == Image("sha256:11")


def test_without_a_builder_image_it_is_said_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="has not been made yet") as caught:
        look("builder", {"builder:latest": OURS})
    assert caught.value.hint == "make it: scripts/build-image" and caught.value.exit_code == 121
    monkeypatch.setattr(resources, "is_checkout", lambda: False)
    with pytest.raises(ImageError) as caught:
        look("builder", {})
    assert caught.value.hint.startswith("make it: /") and caught.value.hint.endswith(" -m sandbox.builder")


@pytest.mark.parametrize("labels", [{}, {MANIFEST_LABEL: "sha256:22"}, {KIND_LABEL: "host"}])
def test_a_builder_that_somebody_else_has_named_so_is_not_used(labels: dict[str, str]) -> None:
    with pytest.raises(ImageError, match="is not one that cargo-sandbox has made") as caught:
        look("builder", {f"{BUILDER}:latest": labels})
    assert KIND_LABEL in caught.value.why and f"docker rmi {BUILDER}:latest" in caught.value.hint


def test_another_image_that_is_not_there_is_named_and_never_pulled() -> None:
    with pytest.raises(ImageError, match="has no image 'mine'") as caught:
        look("mine", {})
    assert "pull or build it first" in caught.value.hint


@pytest.mark.parametrize("reference", ["builder", f"{BUILDER}:latest"])
def test_an_image_with_volumes_is_refused(reference: str) -> None:
    with pytest.raises(SetupError, match="declares volumes: /data"):
        look(reference, {f"{BUILDER}:latest": OURS}, Volumes={"/data": {}})


class Crowded:
    """One with many images of the kind `host`, of which a container uses the oldest."""

    def __init__(self, count: int) -> None:
        self.made = [{"Id": f"sha256:{number}", "Created": number} for number in range(count)]

    def import_image_from_data(self, data: bytes, **_: Any) -> None:
        self.made.insert(0, {"Id": "sha256:new", "Created": 10**9})

    def images(self, name: str) -> list[dict[str, Any]]:
        assert name == docker_image.REPOSITORY
        return list(self.made)

    def remove_image(self, identity: str) -> None:
        if identity == "sha256:0":
            raise APIError("a container uses it")
        self.made = [image for image in self.made if image["Id"] != identity]


def test_of_the_images_for_places_that_were_built_at_only_the_newest_and_the_used_ones_stay() -> None:
    daemon = Crowded(docker_image.MOST_KEPT + 5)
    docker_image.make(cast(Any, daemon), b"an archive")
    left = [image["Id"] for image in daemon.made]
    assert len(left) == docker_image.MOST_KEPT + 1
    assert left[0] == "sha256:new" and {"sha256:0", "sha256:6"} <= set(left) and "sha256:5" not in left

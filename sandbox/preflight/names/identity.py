"""CS0522: packages whose manifest claims to be another project's. Reads the packages' files, so it is for audits.

Honest crates share repositories (a project has many packages) and copy descriptions (a family of import libraries), so
neither counts alone: the name has to resemble a well-known crate's as well, or the description be that of one whose
repository and authors are others.
"""

from __future__ import annotations

import re

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.names.known import known
from sandbox.preflight.names.lookalike import allowance, is_known, well_known
from sandbox.preflight.names.shape import lower
from sandbox.preflight.packages.card import Card
from sandbox.preflight.packages.find import ABSENT, Packages
from sandbox.preflight.sources.source import clip

_REPOSITORY = re.compile(r"(?:https?|git|ssh)(?:\+\w+)?://(?:[^/@]*@)?(?:www\.)?([^/?#]+)/([^/?#]+)/([^/?#]+)", re.I)
_FEW = 5
_TELLING = 20
"""Letters from which on a description is one that two people would not write alike."""


def run(subject: Subject) -> Answer:
    """Compares what the manifests of not well-known packages say with well-known crates' names and manifests."""
    asked = [one for one in subject.locked if one.source is not None]
    strangers = [one for one in asked if not is_known(one, known())]
    if not strangers:
        return Answer("identity", "done")
    packages = Packages(subject.cargo_home, subject.facts, subject.config)
    cards = {one: _card(packages, one) for one in strangers}
    read = {one: card for one, card in cards.items() if card is not None}
    if not read:
        return Answer("identity", "not done", why=f"no sources of the {len(strangers)} packages in question are here")
    famous = {one: card for one in asked if is_known(one, known()) and (card := _card(packages, one)) is not None}
    by_description = {card.description: (one, card) for one, card in famous.items() if len(card.description) > _TELLING}
    found = [made for one, card in read.items() if (made := _judge(one, card, famous, by_description)) is not None]
    names, today = subject.wishes.names, subject.today
    kept = tuple(one for one in found if allowance(names, one.package, today) is None)
    unread = {one: packages.why(one) for one in asked if one not in read and one not in famous}
    # Another platform's packages are not fetched, and that is no fault; what is here and can't be read is one.
    broken = [f"{clip(one.name)} {clip(one.version)}: {clip(why)}" for one, why in unread.items() if why != ABSENT]
    more = [f"and {len(broken) - _FEW} others"] if len(broken) > _FEW else []
    away = sum(one not in read and unread[one] == ABSENT for one in strangers)
    notes = (f"{away} of {len(strangers)} packages in question have no sources here",) if away else ()
    return Answer(
        "identity", "not done" if broken else "done", kept, "; ".join([*broken[:_FEW], *more]), notes,
        looked_at=len(read),
    )  # fmt: skip


def repository_of(url: str) -> tuple[str, str, str] | None:
    """Host, owner and name of a repository's URL, in small letters; None for another URL."""
    found = _REPOSITORY.match(url)
    if found is None:
        return None
    host, owner, name = (part.lower() for part in found.groups())
    return host, owner, name.removesuffix(".git")


def _card(packages: Packages, package: LockedPackage) -> Card | None:
    return packages.card(package, packages.manifest(package))


def _judge(
    package: LockedPackage,
    card: Card,
    famous: dict[LockedPackage, Card],
    by_description: dict[str, tuple[LockedPackage, Card]],
) -> Finding | None:
    like = well_known().find(package.name)
    # A `low` one is how honest packages of one project are called.
    claims = _claims(card, like.target, famous) if like and like.severity != "low" else []
    if like and claims:
        return finding(
            "CS0522", package, f"{like.sentence(package.name)}, and {' and '.join(claims)}", evidence=_say(card)
        )
    copied = by_description.get(card.description)
    if copied is not None and _other_people(card, copied[1]):
        words = (
            f"it has the description of `{copied[0].name}` word for word, under another repository and other authors"
        )
        return finding("CS0522", package, words, severity="low", evidence=_say(card))
    return None


def _claims(card: Card, target: str, famous: dict[LockedPackage, Card]) -> list[str]:
    """What the card says that only the target's own would say."""
    said = []
    theirs = [other for one, other in famous.items() if one.name == target]
    known_as = {repository_of(other.repository) for other in theirs} - {None}
    here = [repository_of(url) for url in (card.repository, card.homepage)]
    if any(repo and (repo in known_as or lower(repo[2]) == lower(target)) for repo in here):
        said.append(f"names the repository of `{target}` as its own")
    if any(len(other.description) > _TELLING and other.description == card.description for other in theirs):
        said.append(f"has the description of `{target}`, word for word")
    return said


def _other_people(card: Card, other: Card) -> bool:
    mine, theirs = repository_of(card.repository), repository_of(other.repository)
    return (
        mine is not None
        and theirs is not None
        and mine[:2] != theirs[:2]
        and not set(card.authors) & set(other.authors)
    )


def _say(card: Card) -> tuple[str, ...]:
    lines = [("repository", card.repository), ("authors", ", ".join(card.authors)), ("description", card.description)]
    return tuple(f"{what}: {text[:200]}" for what, text in lines if text)

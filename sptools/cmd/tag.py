"""sp-tag: protect a time range of a cache from retention, under a name."""

from __future__ import annotations

from sptools.cli import entry
from sptools.settings import Common
from sptools.units import Name, Place, Text, Time


def tag(
    run: Common,
    cache: Place,
    name: Name | None = None,
    *,
    since: Time | None = None,
    until: Time | None = None,
    channel: list[Name] = [],  # noqa: B006 - read, never changed
    note: Text = "",
    list: bool = False,
    remove: bool = False,
    json: bool = False,
) -> None:
    """Protects a time range of a cache from retention, under a name.

    A tag is a folder of hard links, CACHE/tags/NAME/, of every segment that overlaps the range: it takes no room of its
    own as long as the cache holds the segments, and keeps them when retention deletes them there. It is read like a cache:
    sp-cat cache/tags/NAME/. What it holds counts for --quota. A run that was interrupted is completed by another one.

    Settings:
        since: from this time on (UTC unless it has a zone; 14:00 is today)
        until: up to this time; without it, all that is there now
        channel: tag the channels that match this name, such as kqed/*; repeat it for several; without it, all
        note: say what it is, in the list of tags
        list: list the tags of the cache
        remove: remove the tag; what retention has not deleted stays in the cache
        json: say it in JSON lines
    Examples:
        mkdir -p cache/kqed/iq && sp-capture sim:fm,pace=0 --duration 1s -o cache/kqed/iq/20260501T140000.000000000Z.avro
        sp-tag cache/ night --since 2026-05-01T14:00 --channel kqed/iq --note meteors
        sp-tag cache/ --list
        sp-tag cache/ night --remove
    """
    import json as form

    from sptools import log
    from sptools.cache import tags
    from sptools.cli import tell
    from sptools.errors import Usage

    if list:
        if name is not None or remove:
            raise Usage("--list names every tag of the cache: it takes no NAME and nothing else to do")
        for facts in tags.listing(cache):
            tell((form.dumps(facts) if json else line(facts)) + "\n")
        return
    if name is None:
        raise Usage("NAME is missing: how shall the tag be called? --list shows those that are there")
    if remove:
        if since is not None or until is not None or channel or note:
            raise Usage("--remove removes the whole tag: it takes no range, channel or note")
        tags.remove(cache, name)
        return
    if since is not None and until is not None and since >= until:
        raise Usage("--since is not before --until: the range is empty")
    facts = tags.add(cache, name, since, until, channel, note)
    if facts["missed"]:
        log.warning(f"{facts['missed']:,} segments were deleted by retention meanwhile")
    if json:
        tell(form.dumps(facts) + "\n")
    elif not run.quiet:
        log.info(line(facts))


def line(facts: dict) -> str:
    """A tag in one line."""
    from sptools import units

    if facts.get("unfinished"):
        return f"{facts['name']}  unfinished: run sp-tag again, or remove it"
    span = f"{facts['since'] or 'the beginning'} to {facts['until'] or 'the end'}"
    held = ", ".join(f"{channel} ({n:,})" for channel, n in facts["channels"].items())
    note = f"  {facts['note']}" if facts["note"] else ""
    return f"{facts['name']}  {span}  {held}  {units.format_scaled(float(facts['bytes']))}B{note}"


main = entry(__file__, family="every")

"""One check serves every form and button: a page of ours sent it, or it is refused."""

from typing import Any

import pytest

from functions.web.request import cookies_of, origin_of, same_origin

AWS = "abc.execute-api.ap-south-1.amazonaws.com"


def event(domain: str | None, **headers: str) -> dict[str, Any]:
    """Make an event; `_` stands for `-` in the headers' names."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"headers": named, "requestContext": {"domainName": domain} if domain is not None else None}


@pytest.mark.parametrize(
    ("asked", "ours"),
    [
        (event(AWS, sec_fetch_site="same-origin"), True),
        (event(AWS, Sec_Fetch_Site="same-origin"), True),
        (event(AWS, sec_fetch_site="same-site", origin=f"https://{AWS}"), False),
        (event(AWS, sec_fetch_site="same-origin,cross-site"), False),
        (event(AWS, origin=f"https://{AWS}"), True),
        (event(AWS, sec_fetch_site="", origin="https://evil.example"), False),
        (event(AWS, origin=f"http://{AWS}"), False),
        (event(AWS, origin=f"https://{AWS}.evil.example"), False),
        (event(AWS, origin="null"), False),
        (event(AWS, origin="http://localhost:4600", host="localhost:4600"), False),
        (event("localhost", origin="http://localhost:4600", host="localhost:4600"), True),
        (event("localhost", origin="http://evil.example", host="evil.example"), False),
        (event(AWS), False),
        (event("", origin="https://"), False),
        (event(None, origin="https://"), False),
        ({}, False),
    ],
)
def test_only_a_page_of_ours(asked: dict[str, Any], *, ours: bool) -> None:
    """The browser's word first, then the origin; no header says who we are."""
    assert same_origin(asked) is ours


def test_a_header_renames_only_this_machine() -> None:
    """An emulator has no name of its own, so the proxy before it says it; the deployed API has one."""
    assert origin_of(event(AWS, x_forwarded_host="localhost:4600")) == f"https://{AWS}"
    assert origin_of(event("localhost", x_forwarded_host="localhost:4600", host="x")) == "http://localhost:4600"
    assert origin_of(event("localhost", x_forwarded_host="evil.example")) == "http://localhost"


def test_cookies_are_read_where_they_stand() -> None:
    """In API Gateway's list, and nowhere else."""
    assert cookies_of({"cookies": ["a=1", " b=2"], "headers": {"cookie": "c=3"}}) == ["a=1", "b=2"]
    assert cookies_of({"headers": None}) == []

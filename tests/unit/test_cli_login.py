"""`kite-relay login --manual`: whose session it is, and what becomes of one that must not count."""

from unittest import mock

import pytest

from kite_relay.domain.errors import KiteUnavailableError, LoginRefusedError
from tests.fakes.login_world import make_world
from tools.cli import login


@pytest.mark.parametrize("lives", [False, True])
def test_another_users_session_is_ended_or_told_to_live(monkeypatch: pytest.MonkeyPatch, *, lives: bool) -> None:
    """Whose it is comes first: a Kite that does not end it must not be all that is told."""
    world = make_world()
    token = world.kite.issue_request_token("XY9999")
    monkeypatch.setattr(login, "typed_unseen", lambda _question: token)
    trouble = KiteUnavailableError("Kite answered 503") if lives else None
    with (
        mock.patch.object(world.kite, "invalidate", side_effect=trouble) as invalidate,
        pytest.raises(LoginRefusedError, match="XY9999 may not set this token; that session") as refused,
    ):
        login.finish(world.deployable)
    assert ("503" in str(refused.value)) is lives
    invalidate.assert_called_once()
    assert world.untouched

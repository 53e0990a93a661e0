"""A real Caddy with the very file of the droplet before the relay: TLS, who gets through, and what it logs."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from kite_relay.domain.relay_keys import Scope
from tests.fakes.relay_world import World, relay_world, until
from tests.fakes.worker_process import free_port
from tests.integration.test_official_clients import command_of, exercise, need, started

CADDYFILE = Path(__file__).parents[2] / "infra" / "Caddyfile"
pytestmark = [pytest.mark.xdist_group("official clients"), pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Front:
    """A running Caddy: where it listens, its own authority's certificate, and what it has logged."""

    https: int
    http: int
    authority: Path
    log: Path

    @property
    def host(self) -> str:
        """Its name and port."""
        return f"localhost:{self.https}"

    @property
    def tls(self) -> ssl.SSLContext:
        """Trust its own authority."""
        return ssl.create_default_context(cafile=self.authority)


@asynccontextmanager
async def caddy(folder: Path, world: World) -> AsyncIterator[Front]:
    """Run Caddy on infra/Caddyfile: for `localhost` it makes a certificate by itself, as it asks for one elsewhere."""
    need("caddy")
    data, log = folder / "data", folder / "caddy.log"
    front = Front(free_port(), free_port(), data / "caddy/pki/authorities/local/root.crt", log)
    variables = {
        "XDG_DATA_HOME": str(data),
        "HOME": str(folder),
        "RELAY_HOST": "localhost",
        "HTTP_PORT": str(front.http),
        "HTTPS_PORT": str(front.https),
        "RELAYS": f"127.0.0.1:{world.relay.port}",
    }
    command = f"exec caddy run --config {CADDYFILE} --adapter caddyfile 2>{log}"
    async with started("sh", "-c", command, **variables):
        await until(front.authority.exists)
        await answering(front)
        yield front


async def answering(front: Front) -> None:
    """Wait until it has made its certificate: a handshake comes to its end."""
    for _ in range(500):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("localhost", front.https, ssl=front.tls)
            writer.close()
            return
        await asyncio.sleep(0.01)
    raise AssertionError(front.log.read_text())


async def status(front: Front, key: str, source: str = "127.0.0.1", **headers: str) -> int:
    """Connect from an address of this machine; returns 101 or the refusal."""
    url = f"wss://{front.host}/?api_key=bot&access_token={key}"
    try:
        async with connect(
            url, ssl=front.tls, local_addr=(source, 0), additional_headers=headers, proxy=None, host="127.0.0.1"
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("language", ["python", "npm"])
async def test_an_official_client_comes_through_over_tls(language: str, tmp_path: Path) -> None:
    """wss:// as in production, by the client that sends no server name too."""
    async with relay_world(heartbeat=1.0) as world, caddy(tmp_path, world) as front:
        key = world.parameters.make("desk", Scope.TICKS, Scope.ORDERS)
        await world.relay.refresh_keys()
        trust = {"NODE_EXTRA_CA_CERTS": str(front.authority), "SSL_CERT_FILE": str(front.authority)}
        command = await command_of(language, tmp_path, f"wss://{front.host}")
        async with started(*command, **trust, RELAY_KEY=key) as program:
            await exercise(world, program)


async def test_the_relay_sees_the_true_address_behind_caddy(tmp_path: Path) -> None:
    """Who guesses is locked out by where he comes from, whatever he says of it; his neighbours are not."""
    async with relay_world() as world, caddy(tmp_path, world) as front:
        tried = [
            await status(front, f"kr_{number}", "127.0.0.2", **{"X-Forwarded-For": f"198.51.100.{number}"})
            for number in range(11)
        ]
        assert tried == [403] * 10 + [429]
        assert await status(front, world.key) == 101


async def test_only_websockets_pass(tmp_path: Path) -> None:
    """A browser gets a sentence, plain HTTP is sent to TLS, and later asks for TLS by itself."""
    async with relay_world() as world, caddy(tmp_path, world) as front, ClientSession() as session:
        async with session.get(f"https://{front.host}/metrics", ssl=front.tls) as answer:
            assert answer.status == 404
            assert "ticker protocol only" in await answer.text()
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert "Server" not in answer.headers
        async with session.get(f"http://localhost:{front.http}/", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (308, "https://localhost/")


async def test_what_fails_is_logged_without_the_key(tmp_path: Path) -> None:
    """The relay is gone: 502, and a line with the address, but for what opens it."""
    async with relay_world() as world, caddy(tmp_path, world) as front:
        await world.relay.stop()
        assert await status(front, world.key, Authorization=f"Bearer {world.key}", Cookie="a=secret-cookie") == 502
        logged = front.log.read_text()
        assert "/?access_token=" in logged
        assert not [secret for secret in (world.key, "secret-cookie") if secret in logged]

"""Events by webhook, to a real server: signed so that others can verify it, and honest about every answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from receivers import Answer, Receiver, Request, receiving
from vernal.adapters.events import WebhookSink
from vernal.adapters.events.webhook import same_place, signed
from vernal.clock import SimulatedClock
from vernal.errors import DeliveryError
from vernal.records import Event
from vernal.spec import SecretSpec, WebhookSpec

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def event(seq: int = 7) -> Event:
    return Event(
        seq=seq,
        id=f"e{seq}",
        type="run.failed",
        at=NOON,
        model="m",
        run_id="m-1",
        schema="urn:vernal:event:run:1",
        data={"phase": "failed", "why": "größer"},
    )


def sink(url: str, root: Path = Path(), **more: object) -> WebhookSink:
    facts: dict[str, object] = {"name": "erp", "url": url, "secret": SecretSpec(env="HOOK_SECRET")}
    return WebhookSink(
        WebhookSpec.model_validate(facts | more), source="/vernal/p", root=root, clock=SimulatedClock(NOON)
    )


def verified(request: Request, key: bytes = KEY) -> bool:
    """Verify a request as its receiver would, from the text of the Standard Webhooks specification."""
    headers = request.headers
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split(" "))


def test_an_event_arrives_as_a_signed_cloudevent(receiver: Receiver) -> None:
    sink(f"http://{receiver.place}/hooks?a=1").send(event())
    (got,) = receiver.got
    assert (got.path, got.headers["content-type"]) == ("/hooks?a=1", "application/cloudevents+json; charset=utf-8")
    assert (got.headers["webhook-id"], got.headers["webhook-timestamp"]) == ("e7", str(int(NOON.timestamp())))
    assert (got.json["id"], got.json["type"], got.json["data"]["why"]) == ("e7", "dev.vernal.run.failed", "größer")
    assert verified(got)
    assert not verified(Request(got.path, got.headers, got.body + b" "))
    assert not verified(got, key=b"x" * 32)


def test_what_stands_behind_the_question_mark_is_logged_by_nobody(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        sink(f"http://{receiver.place}/hooks?token=T0PS3CRET").send(event())
    assert ("T0PS3CRET" in caplog.text, "/hooks" in caplog.text) == (False, True)
    assert receiver.got[0].path == "/hooks?token=T0PS3CRET"


def test_the_signature_is_that_of_the_specifications_example() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", body, keys=(key,), at=at)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_changed_without_a_gap(receiver: Receiver, tmp_path: Path) -> None:
    new = bytes(reversed(range(32)))
    (tmp_path / "secret").write_text(f"{SECRET}\nwhsec_{base64.b64encode(new).decode()}\n")
    sink(f"http://{receiver.place}/", tmp_path, secret=SecretSpec(file="secret")).send(event())
    assert verified(receiver.got[0])
    assert verified(receiver.got[0], key=new)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_success(status: int, receiver: Receiver) -> None:
    receiver.answer = lambda _request: Answer(status)
    sink(f"http://{receiver.place}/").send(event())
    assert len(receiver.got) == 1


def refusal(receiver: Receiver, status: int, **headers: str) -> DeliveryError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    receiver.answer = lambda _request: Answer(status, named)
    with pytest.raises(DeliveryError, match=f"webhook erp: answered {status}") as caught:
        sink(f"http://{receiver.place}/").send(event())
    return caught.value


@pytest.mark.parametrize(
    ("status", "refused", "gone"),
    [(400, True, False), (404, True, False), (410, False, True), (429, False, False), (503, False, False)],
)
def test_an_answer_says_what_a_further_attempt_is_worth(
    status: int, refused: bool, gone: bool, receiver: Receiver
) -> None:
    error = refusal(receiver, status)
    assert (error.refused, error.gone) == (refused, gone)


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_say_when_it_is_back(status: int, receiver: Receiver) -> None:
    assert refusal(receiver, status, retry_after="120").retry_after == timedelta(minutes=2)
    assert refusal(receiver, status, retry_after="Mon, 02 Mar 2026 13:00:00 GMT").retry_after == timedelta(hours=1)
    assert refusal(receiver, status, retry_after="Mon, 02 Mar 2026 11:00:00 GMT").retry_after == timedelta(0)
    assert refusal(receiver, status, retry_after="soon").retry_after is None
    assert refusal(receiver, status).retry_after is None
    assert refusal(receiver, 400, retry_after="120").retry_after is None


def test_redirects_are_followed_on_the_same_host_with_body_and_signature(receiver: Receiver) -> None:
    receiver.answer = lambda request: Answer(308, {"Location": "/new"}) if request.path == "/old" else Answer()
    sink(f"http://{receiver.place}/old").send(event())
    assert [request.path for request in receiver.got] == ["/old", "/new"]
    assert verified(receiver.got[1])


def test_a_redirect_to_another_host_is_refused(receiver: Receiver) -> None:
    with receiving() as stranger:
        receiver.answer = lambda _request: Answer(307, {"Location": f"http://{stranger.place}/"})
        with pytest.raises(DeliveryError, match=r"redirected to http://127\.0\.0\.1:"):
            sink(f"http://{receiver.place}/").send(event())
        assert stranger.got == []


def test_redirects_in_a_circle_end(receiver: Receiver) -> None:
    receiver.answer = lambda _request: Answer(302, {"Location": "/again"})
    with pytest.raises(DeliveryError, match="more than 3 times"):
        sink(f"http://{receiver.place}/").send(event())


@pytest.mark.parametrize(
    ("target", "same"),
    [
        ("http://a/other", True),
        ("https://a/x", True),
        ("http://b/", False),
        ("http://a:81/", False),
        ("ftp://a/", False),
    ],
)
def test_what_counts_as_the_same_place(target: str, same: bool) -> None:
    assert same_place("http://a/x", target) is same
    assert not same_place("https://a/x", "http://a/x")


def test_a_receiver_that_is_away_or_silent_is_an_error(receiver: Receiver) -> None:
    place = receiver.place
    receiver.stop()
    with pytest.raises(DeliveryError, match="webhook erp: no answer: ConnectError") as caught:
        sink(f"http://{place}/").send(event())
    assert not caught.value.refused


def test_a_receiver_that_cannot_prove_who_it_is_gets_nothing(tmp_path: Path) -> None:
    with receiving(tls=self_signed(tmp_path)) as impostor:
        with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
            sink(f"https://{impostor.place}/").send(event())
        assert impostor.got == []


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return the server's side of a certificate that nobody has vouched for."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    certificate = builder.not_valid_after(datetime(2099, 1, 1, tzinfo=UTC)).add_extension(address, critical=False)
    pem = serialization.Encoding.PEM
    (folder / "both.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.sign(key, hashes.SHA256()).public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def test_it_waits_no_longer_than_it_was_told(receiver: Receiver) -> None:
    import threading

    release = threading.Event()

    def slow(_request: Request) -> Answer:
        release.wait(30)
        return Answer()

    receiver.answer = slow
    try:
        with pytest.raises(DeliveryError, match="ReadTimeout"):
            sink(f"http://{receiver.place}/", timeout=timedelta(seconds=0.2)).send(event())
    finally:
        release.set()


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("", "found nothing in the environment variable HOOK_SECRET"),
        ("plain", "it does not begin with whsec_"),
        ("whsec_###", "what follows whsec_ is no base64"),
        ("whsec_c2hvcnQ=", "it has 5 bytes, expected whsec_ and 24 to 64 bytes"),
    ],
)
def test_a_secret_that_cannot_sign_sends_nothing_and_is_not_repeated(
    secret: str, said: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", secret)
    with pytest.raises(DeliveryError, match=said) as caught:
        sink(f"http://{receiver.place}/").send(event())
    assert receiver.got == []
    assert "c2hvcnQ" not in str(caught.value)

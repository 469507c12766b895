"""Signatures of webhooks, held against another's implementation of Standard Webhooks."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from service.core.clock import utc_now
from service.webhooks.signing import new_secret, shown, signature, signed_headers

BODY = '{"type":"arcana.user.created","data":{"name":"Ünïcode \N{GRINNING FACE}"}}'.encode()


def test_the_vector_of_the_standard_s_own_reference() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_we_sign_others_verify() -> None:
    for _ in range(20):
        secret = new_secret()
        headers = signed_headers([secret], "01a2", utc_now(), BODY)
        told = Verifier(shown(secret)).verify(BODY, headers)
        assert told["type"] == "arcana.user.created"


def test_while_a_secret_is_turned_both_verify_and_no_third() -> None:
    new, old = new_secret(), new_secret()
    headers = signed_headers([new, old], "01a2", utc_now(), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (new, old):
        Verifier(shown(secret)).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(shown(new_secret())).verify(BODY, headers)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
def test_nothing_of_it_may_be_another(changed: str) -> None:
    secret, body = new_secret(), BODY
    headers = signed_headers([secret], "01a2", utc_now(), body)
    if changed == "body":
        body = body.replace(b"created", b"deleted")
    else:
        headers[changed] = headers[changed][:-1] + ("1" if headers[changed][-1] == "0" else "0")
    with pytest.raises(WebhookVerificationError):
        Verifier(shown(secret)).verify(body, headers)


def test_an_old_message_is_not_taken_again() -> None:
    secret = new_secret()
    headers = signed_headers([secret], "01a2", utc_now() - timedelta(minutes=6), BODY)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Verifier(shown(secret)).verify(BODY, headers)


def test_secrets_and_instants_are_written_as_the_standard_says() -> None:
    secret = new_secret()
    text = shown(secret)
    assert text.startswith("whsec_")
    assert 24 <= len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) <= 64
    assert new_secret() != secret
    at = datetime(2026, 3, 14, 15, 9, 26, 999999, tzinfo=UTC)
    assert signed_headers([secret], "x", at, b"")["webhook-timestamp"] == "1773500966"

"""A masked number is recognisable to people who know it, and of no use to others."""

import pytest
from exotel_ws.mask import masked


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("09876543210", "098•••••210"),
        ("+919876543210", "+919••••••210"),
        ("+91 98765-43210", "+91 9••••-••210"),
        ("08047112345", "080•••••345"),
        ("98765432", "98••••32"),
        ("1234", "1••4"),
        ("199", "•••"),
        ("", ""),
        ("sip:priya@example.net", "sip:•••••@•••••••.net"),
        ("٠٩٨٧٦٥٤٣٢١٠", "٠٩٨•••••٢١٠"),
    ],
)
def test_masked(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_a_mask_has_the_length_of_what_it_hides() -> None:
    assert len(masked("+91 98765 43210 ext 7")) == len("+91 98765 43210 ext 7")


@pytest.mark.parametrize("number", ["09876543210", "+91 98765-43210", "1234", "199"])
def test_masking_twice_is_masking_once(number: str) -> None:
    assert masked(masked(number)) == masked(number)

"""Custom parameters and sample rates, in the forms in which they arrive."""

import pytest
from exotel_ws import parameters


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"language": "ta"}, {"language": "ta"}),
        ({"language:ta=": ""}, {"language": "ta"}),
        ({"language:ta": ""}, {"language": "ta"}),
        ({"language=ta": ""}, {"language": "ta"}),
        ({"language=": "ta"}, {"language=": "ta"}),
        ({"sample-rate:16000=": ""}, {"sample-rate": "16000"}),
        ({"token:abc=": ""}, {"token": "abc"}),
        ({"token:abc==": ""}, {"token": "abc="}),
        ({"name:Asha%20K=": ""}, {"name": "Asha K"}),
        ({"name=Asha+K&x=1": ""}, {"name": "Asha K", "x": "1"}),
        ({"?a=1&b=2": ""}, {"a": "1", "b": "2"}),
        ({"": "a=1&b=2"}, {"a": "1", "b": "2"}),
        ({"a:1=&b:2=": ""}, {"a": "1", "b": "2"}),
        ({"url=http://x/?y=1": ""}, {"url": "http://x/?y=1"}),
        ({"a": "1", "b:2=": ""}, {"a": "1", "b": "2"}),
        ({"token:abc": "="}, {"token": "abc"}),
        ({"query": "a=1&b=2"}, {"a": "1", "b": "2"}),
        ({"query": "what"}, {"query": "what"}),
        ({"flag": ""}, {"flag": ""}),
        ({" name ": "x"}, {"name": "x"}),
        ({"sample-rate%3D16000": ""}, {"sample-rate": "16000"}),
        ({"a%3D1%26b%3D2": ""}, {"a": "1", "b": "2"}),
        ({"100%": ""}, {"100%": ""}),
        ({"&&==": ""}, {}),
        ({}, {}),
    ],
)
def test_mangled_parameters_are_restored(raw: dict[str, str], told: dict[str, str]) -> None:
    assert parameters.restore(raw) == told


def test_a_query_without_end_is_read_as_far_as_it_may_go() -> None:
    assert len(parameters.restore({"&".join(f"a{count}=1" for count in range(500)): ""})) == 32
    assert len(parameters.restore({f"{letter}{count}=1&{count}x=2": "" for letter in "abc" for count in range(40)})) == 32


@pytest.mark.parametrize(
    ("value", "hz"),
    [
        *[
            (said, 16000)
            for said in ("16000", "16000Hz", "16000 hz", "16 kHz", "16k", " 16 K ", "16.0k", "16000.0", "16000=", 16000, 16000.0)
        ],
        ("8k", 8000),
        ("22.05 kHz", 22050),
        (0, 0),
        *[
            (said, None)
            for said in ("", "fast", "-8000", "1e4", "0x10", "16000 16000", "inf", "nan", "9" * 50, True, None, [], {}, 1e300)
        ],
        ("१६०००", None),
    ],
)
def test_rates(value: object, hz: int | None) -> None:
    assert parameters.rate(value) == hz


@pytest.mark.parametrize("name", ["sample-rate", "sample_rate", "sampleRate", "Sample-Rate", "samplerate", "SAMPLE_RATE"])
def test_the_rate_is_found_in_any_spelling_of_its_name(name: str) -> None:
    assert parameters.rates({"language": "en", name: "16000"}) == ["16000"]


def test_another_name_is_no_rate() -> None:
    assert parameters.rates({"rate": "16000", "sample-rate-limit": "8000"}) == []

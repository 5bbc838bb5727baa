import pytest

from phosphene.core.file_kinds import described


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf  <!DOCTYPE html>", "a web page"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"model.pt" + bytes(249) + b"ustar", "a tar archive"),
        (b"GGUF\x03", "a GGUF file"),
        (b"\x00\x01", "of an unknown kind"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(start: bytes, said: str) -> None:
    assert described(start).startswith(said)

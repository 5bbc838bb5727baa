"""What a file that is no checkpoint is instead, by its first bytes: so that messages can say."""

STARTS = (
    (b"version https://git-lfs", "a git-lfs pointer: run `git lfs pull` where it came from"),
    (b"<", "a web page, probably an error message of the site: download the file again"),
    (b"{", "JSON text, probably an error message of the site: download the file again"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a rar archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file, as Keras writes; only PyTorch checkpoints are read"),
    (b"GGUF", "a GGUF file; only PyTorch checkpoints are read"),
)


def described(start: bytes) -> str:
    """Say what a file is that begins so (512 bytes are enough), and what to do about it."""
    if not start:
        return "empty: fetch it again"
    if start[257:262] == b"ustar":
        return "a tar archive; torch wrote such checkpoints until 2017: load and save it with 0.4"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, description in STARTS:
        if text.startswith(magic):
            return description
    return f"of an unknown kind (it begins with {start[:12]!r})"

"""The generated part of a document that people write: what stands between two marks."""


def put_between(document: str, mark: str, content: str) -> str:
    """Put content in place of what stands between `<!-- MARK: begin -->` and `<!-- MARK: end -->`, a line each.

    Raises:
        ValueError: the document does not have these marks, once each.
    """
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    before, rest = document.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{content.rstrip()}\n{end}{after}"

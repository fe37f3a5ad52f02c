"""Numbers in prose: which of them were measured, and whether an output beside them or a stored result says the same."""

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import nbformat

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+)"
PLACE = r"\d+(?:\.\d+)*"  # 1.2.3
UNMEASURED = [  # in this order
    r"(?s)<!--.*?-->",
    r"(?s)(`{3,}|~{3,}).*?(?:\1|\Z)",  # code
    r"(`+)(?:(?!\1).)+\1",
    r"(?s)(?<!\\)\$\$.*?\$\$",  # formulas
    r"(?s)(?<![\\$])\$(?=\S)[^$]*?(?<=\S)\$(?!\d)",
    r"\]\([^)]*\)|<https?:[^>]*>|https?:\S+",  # links
    r"(?i)\b(?:arxiv|doi):?\s*\S+",
    rf"(?:§+|\b(?i:sections?))\s*{PLACE}(?:(?:\s*[-–]\s*|\s+(?:and|to|or)\s+)§*{PLACE}(?!\s*(?:%|per\scent)))*",
    rf"\b(?i:items?|chapters?|tables?|figures?|fig\.)\s*{PLACE}",
    r"(?<![\w.])\d+\.\d+(?:\.\d+)+",  # 1.2.3: a section or a version
    r"(?m)^#+\s+\d+(?:\.\d+)*\.?\s",  # the number of a heading
]
PAIR = rf"({NUMBER})\s*%?\s*(?:±|\\pm|\+/-)\s*({NUMBER})"
MEASURED = re.compile(rf"(?<![\w.,])(?:{PAIR}|({NUMBER}))(?![\w,]*\d)(\s*(?:%|per\scent|percent))?")
REFERENCES = re.compile(r"(?ms)^#+\s+References\b.*")
SKIPPED = {"curves", "versions", "judged", "tried"}  # of a stored result: a whole history matches nearly everything
NOT_RESULTS = {"trials.json", "sweeps", "benchmarks"}  # how values were chosen: what is cited of it stands among a notebook's outputs


@dataclass
class Known:
    """Numbers that were measured: single ones, and pairs of a value and its ±."""

    single: set[Decimal] = field(default_factory=set)
    pairs: set[tuple[Decimal, Decimal]] = field(default_factory=set)

    def holds(self, claim: tuple[str, ...], percent: bool) -> bool:
        """Whether these numbers, each rounded as it is written, were measured: two of them together."""
        if len(claim) == 2:
            return any(agree(claim[0], a) and agree(claim[1], b) for a, b in self.pairs)
        return any(agree(claim[0], value) or (percent and value <= 1 and agree(claim[0], 100 * value)) for value in self.single)


def claims(markdown: str) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """(as written, its one or two numbers, whether it is in percent) for every measured number of a Markdown text."""
    text = REFERENCES.sub("", markdown)
    for pattern in UNMEASURED:
        text = re.sub(pattern, " ", text)
    for found in MEASURED.finditer(text):
        mean, deviation, alone, percent = found.groups()
        if mean or percent or "." in alone:
            yield found[0].strip(), (mean, deviation) if mean else (alone,), bool(percent)


def agree(written: str, value: Decimal) -> bool:
    """Whether `value`, which has at least as many digits behind the point, rounds to the number that is written."""
    said = decimal(written)
    return digits(said) >= digits(value) and abs(value - said) <= Decimal(5).scaleb(digits(said) - 1)


def digits(value: Decimal) -> int:
    """Less, the more digits stand behind the point."""
    return value.as_tuple().exponent


def decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def printed(notebook) -> Known:
    """Every number that stands as text among the outputs of `notebook`."""
    single, pairs = [], []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = {"text/plain": output.text} if output.output_type == "stream" else output.get("data", {})
            for text in (data[mime] for mime in ("text/markdown", "text/plain", "text/latex") if mime in data):
                single += [decimal(number) for number in re.findall(NUMBER, text)]
                pairs += [(decimal(a), decimal(b)) for a, b in re.findall(PAIR, text)]
    # 43.80 equals 43.8: a set keeps the first, so the ones with the most digits come first
    return Known(set(sorted(single, key=digits)), set(sorted(pairs, key=lambda pair: digits(pair[0]) + digits(pair[1]))))


def stored(folder: Path, dataset: str = "") -> Known:
    """The numbers of the results below `folder`, with means and standard deviations over seeds; of one `dataset` where it is named."""
    known, seeds = Known(), defaultdict(list)
    for path in sorted(folder.rglob("*.json")):
        inside = path.relative_to(folder)
        if inside.parts[0] in NOT_RESULTS or not inside.parts[0].startswith(dataset):
            continue
        for key, value in numbers(json.loads(path.read_text())):
            known.single.add(value)
            seeds[inside.parent, re.sub(r"\d+$", "", path.stem), key].append(value)
    for values in seeds.values():
        if len(values) > 1:
            mean, deviation = statistics.mean(values), statistics.stdev(values)
            known.single |= {mean, deviation}
            known.pairs.add((mean, deviation))
    return known


def numbers(node, key: str = "") -> Iterator[tuple[str, Decimal]]:
    """(place, size) of every number in a JSON value; a whole one counts as exact to twelve digits."""
    if isinstance(node, bool) or node is None or isinstance(node, str):
        return
    if isinstance(node, (int, float)):
        yield key, abs(Decimal(repr(node))).quantize(Decimal("1e-12"))
        return
    for name, child in node.items() if isinstance(node, dict) else enumerate(node):
        if name not in SKIPPED:
            yield from numbers(child, f"{key}/{name}")


def unfounded(path: Path, results: Iterable[Known]) -> list[str]:
    """A sentence for each measured number in the Markdown of the notebook at `path` that nothing bears out."""
    notebook = nbformat.read(path, as_version=4)
    known = [printed(notebook), *results]
    return [
        f"{path.name}, cell {place}: {written!r} is, to its rounding, in no output of the notebook and in no result; "
        "correct it, print what it comes from, or write it as code if it was not measured"
        for place, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "markdown"
        for written, claim, percent in claims(cell.source)
        if not any(source.holds(claim, percent) for source in known)
    ]

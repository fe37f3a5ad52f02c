"""What section 1.4 of the assignment asks of the report, and where each point is answered: the report's first page."""

from nbformat import NotebookNode, v4

from latent.report.pieces import figure_label, pieces

NOTEBOOKS = {  # name → head of its column in the map
    "01_mnist_ae": "MNIST auto&shy;encoder",
    "02_mnist_guided": "MNIST guided",
    "03_mnist_contrastive": "MNIST con&shy;trastive",
    "04_cifar_ae": "CIFAR auto&shy;encoder",
    "05_cifar_guided": "CIFAR guided",
    "06_cifar_contrastive": "CIFAR con&shy;trastive",
    "07_interpolation_tsne": "All six",
}
AUTOENCODERS = ("01_mnist_ae", "04_cifar_ae")
STRUCTURED = ("03_mnist_contrastive", "06_cifar_contrastive")
ENCODERS = tuple(NOTEBOOKS)[:6]
COMPARISON = ("07_interpolation_tsne",)
NAME = "requirement map"


HEADINGS: dict[str, str] = {}  # of every figure that answers something, for notebooks run before figures had names


def _figure(notebook: str, name: str, heading: str) -> list[str]:
    label = figure_label(notebook, name)
    HEADINGS[label] = f"{notebook}-{heading}"
    return [label]


def _in(notebooks: tuple[str, ...], *headings: str) -> list[str]:
    return [f"{notebook}-{heading}" for notebook in notebooks for heading in headings]


SIX = _in(COMPARISON, "the-six-side-by-side")
HELPED = _in(COMPARISON, "did-the-structured-latent-space-help")
WALK = _figure(*COMPARISON, "interpolation", "linear-interpolation")
PAIRS = [label for name in AUTOENCODERS for label in _figure(name, f"{name[3:].replace('_', '-')}-reconstructions", "reconstructions")]
TSNE = _in(COMPARISON, "t-sne-latent-and-image-domain")
SOURCES = _in(COMPARISON, "references")
REQUIREMENTS = [  # item of section 1.4, what it asks, identifiers of the headings and figures that answer it
    ("1", "Architecture of each encoder, and why it is a good choice", _in(ENCODERS, "architecture")),
    ("1", "Network parameters and hyper-parameters, and how they were chosen", _in(ENCODERS, "choices-tuned-on-validation")),
    ("1", "A validation set, kept apart from the test set", _in(ENCODERS, "data")),
    ("1", "The method for the structured latent space, motivation, sources", _in(STRUCTURED, "reasoning", "method") + SOURCES),
    ("2", "Accuracy on the training, validation and test sets", _in(ENCODERS, "results") + SIX),
    ("2", "Mean absolute reconstruction error of the autoencoders", _in(AUTOENCODERS, "results") + SIX),
    ("2", "Did the structured latent space succeed, against the other two?", _in(STRUCTURED, "discussion") + HELPED),
    ("3", "Five random images beside their reconstructions", PAIRS),
    ("4", "Ten-step interpolation between two of the five MNIST images, decoded", WALK),
    ("4", "Do the steps look like digits, and why?", _in(COMPARISON, "linear-interpolation")),
    ("5", "t-SNE of the latent and of the image domain", TSNE),
    ("5", "Self-supervised against classification-guided latent spaces", TSNE),
    ("5", "Image domain against latent space in general", TSNE),
    ("5", "Is the structured latent space more separable, how, or why not?", HELPED + TSNE),
    ("Notes", "Networks of our own, kept small; classifiers that see latents only", _in(ENCODERS, "architecture")),
    ("Notes", "At least 60 % accuracy in every experiment", SIX),
]


def cover(report: NotebookNode) -> NotebookNode:
    """The Markdown cell of the first page: a table of requirements against notebooks, each entry a link that prints as its page.

    A link leads to the figure that a row promises, in the merged `report`; to its heading where the figure has no name.
    """
    named = {piece.label for piece in pieces(report, "") if piece.label}
    lines = [
        "Each point of section 1.4 of the assignment, and where it is answered; every number, in print a page, is a link.",
        "",
        "| Item | Requirement | " + " | ".join(NOTEBOOKS.values()) + " |",
        f"|:{'-' * 5}|:{'-' * 40}|" + f":{'-' * 6}:|" * len(NOTEBOOKS),  # the dashes are the columns' widths
    ]
    before = ""
    for item, asked, answers in REQUIREMENTS:
        cells = [", ".join(f"[](#{_known(answer, named)})" for answer in answers if answer.startswith(name)) for name in NOTEBOOKS]
        lines.append(f"| {item if item != before else ''} | {asked} | " + " | ".join(cells) + " |")
        before = item
    lines += ["", "Every figure has a title, axis labels and a grid, and its caption says what is in it."]
    return v4.new_markdown_cell("\n".join(lines), metadata={"latent": {"notebook": NAME, "cell": 1, "role": "cover"}})


def _known(answer: str, named: set[str]) -> str:
    return answer if answer in named else HEADINGS.get(answer, answer)

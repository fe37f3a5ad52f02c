"""What a notebook keeps of its run: a preprocessor for nbconvert, to be run after the cells are."""

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from latent.report.merge import digest_of_code
from latent.report.pieces import WIDGET


class Clean(Preprocessor):
    """Leaves out what only the machine and the moment of the run meant: the kernel's version, and views of widgets that have ended.

    JupyterLab shows such a view as an error; the figure that our widgets show before it stays. Puts in which code was run, so
    that `latent report` can refuse outputs that are no longer those of the code above them.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """The notebook, cleaned in place, and the resources as they are."""
        nb.metadata.language_info = NotebookNode(name="python")
        nb.metadata.pop("widgets", None)
        nb.metadata.setdefault("latent", NotebookNode())["ran"] = digest_of_code(nb)
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        return nb, resources

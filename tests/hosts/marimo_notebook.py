"""A marimo notebook: the widget as it is, the widget in marimo's own wrapper, and a cell that runs until it is told."""

import marimo

app = marimo.App()


@app.cell
def _():
    from tests.hosts.subject import make

    plain = make()
    plain
    return (make,)


@app.cell
def _(make):
    import marimo as mo

    wrapped = mo.ui.anywidget(make())
    wrapped
    return


@app.cell
def _(make):
    import os
    import time

    while "SALIENCY_TESTS_GO" in os.environ and not os.path.exists(os.environ["SALIENCY_TESTS_GO"]):
        time.sleep(0.05)
    "the last cell has ended"
    return


if __name__ == "__main__":
    app.run()

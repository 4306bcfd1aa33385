"""The page of a run at a moment, and what its drawings show."""

import base64

import numpy as np

from acts import film_rows, wait

OTHER = " · not the time of the slider"
# Of every pixel of the first drawing that a selector names, how much more orange than blue it is; and of all of them.
ORANGE = """(selector) => [...document.querySelectorAll(selector)].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i] - data[4 * i + 2]);
})"""
# The reds of the stage's picture, pixel by pixel; none where it shows values.
PIXELS = """() => {
  const canvas = document.querySelector(".shown-picture canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return canvas.hidden ? null : Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
}"""
# Of the middle of each cell of the plane, how much more blue than orange it is.
PLANE = """(side) => {
  const canvas = document.querySelector(".plane");
  const context = canvas.getContext("2d");
  const { data, width } = context.getImageData(0, 0, canvas.width, canvas.height);
  const at = (k) => Math.floor(((k + 0.5) / side) * width);
  return Array.from({ length: side * side }, (_, i) => { const p = 4 * (at(Math.floor(i / side)) * width + at(i % side)); return data[p + 2] - data[p]; });
}"""
# In each column of the drawing, the middle of what has the colour of the line, from the top.
LINE = """(columns) => import("/draw.js").then(({ colour }) => {
  const canvas = document.querySelector(".plane");
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const [r, g, b] = colour("--validation");
  return Array.from({ length: columns }, (_, i) => {
    const x = Math.floor(((i + 0.5) / columns) * width);
    const found = [...Array(height).keys()].filter((y) => { const p = 4 * (y * width + x); return data[p + 3] > 200 && Math.abs(data[p] - r) + Math.abs(data[p + 1] - g) + Math.abs(data[p + 2] - b) < 30; });
    return found.length ? found.reduce((sum, y) => sum + y, 0) / found.length / height : -1;
  });
})"""


class View:
    """The page of a run at a moment."""

    def __init__(self, run, served, page):
        self.run, self.served, self.page, self.step = run, served, page, None
        self.stored = {}

    def move(self, step):
        """Moves the strip to a snapshot; the last one is the present."""
        self.step = step
        if step == self.run.last:
            self.page.locator(".live").click()
        else:
            self.page.locator("#slider").fill(str(self.run.steps.index(step)))
        wait(self.page, "(name) => document.getElementById('moment').textContent === name", self.run.name(step))
        wait(self.page, "import('/film.js').then((film) => film.snapshot() !== null)")

    @property
    def whole(self):
        """The last step until the moment at which all weights are known."""
        return [step for step in self.run.wholes() if step <= self.step][-1]

    def inputs(self, rows):
        """Rows as the data set stores them."""
        for row in rows:
            if row not in self.stored:
                sample = self.served.ask(f"api/look/pass?row={row}")
                pixels = sample.get("pixels")
                self.stored[row] = np.frombuffer(base64.b64decode(pixels), np.uint8) if pixels else np.array(sample["values"])
        return np.stack([self.stored[row] for row in rows])

    def logits(self, rows):
        return self.run.logits(self.whole, self.inputs(rows))

    @property
    def row(self):
        """The sample that is looked at unless another is chosen: the film's first picture."""
        return film_rows(self.page)[0]

    def film_samples(self):
        """The film's samples, which are all of a small validation part: the first of each class, the second of each, and so on."""
        rows = self.run.parts["val"]
        if target(self) != "classes":
            return rows
        truth, seen, order = self.run.truth(rows), {}, []
        for row, k in zip(rows, truth):
            order.append((seen.get(k, 0), k, row))
            seen[k] = seen.get(k, 0) + 1
        return [row for _, _, row in sorted(order)]

    def text(self, panel, selector=".body"):
        return self.page.locator(f"#panel-{panel} {selector}").first.inner_text().replace("\u00a0", " ")

    def texts(self, panel, selector):
        return [text.replace("\u00a0", " ") for text in self.page.locator(f"#panel-{panel} {selector}").all_inner_texts()]

    def aged(self, panel, step):
        """Waits until a panel names the moment of what it shows, and whether it is another one."""
        name = self.run.name(step) + (OTHER if step != self.step else "")
        age = f"document.querySelector('#panel-{panel} .age').textContent"
        for _ in range(200):
            if self.page.evaluate(age) == name:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{panel} is of {self.page.evaluate(age)!r}, not of {name!r}")


def target(view):
    return view.run.network["answer"]

"""The film is saved as GIF and WebM: decoded, the files show what the page drew, from random weights to the last snapshot."""

import base64
import io
import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops, ImageStat

from acts import bring, drop, known, mode, switch, tab, wait
from conftest import Served, bitmap, klubok

SIZE = (720, 450)
MOST_BYTES = 3_000_000
# Where a frame has its words, and where its hero.
HEAD, HERO = (0, 0, 720, 90), (24, 98, 464, 388)
STEPS = known("state.film")
# Keeps what is written on a canvas.
LISTEN = """() => {
  window.written = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (words, ...place) { window.written.push(words); write.call(this, words, ...place); };
}"""


def ask_to_save(page):
    page.locator("#menu > summary").click()
    page.locator("#save-film").click()
    page.locator("dialog.save").wait_for()


def saved(page, kind):
    """Saves the film, and returns the name of the file and its bytes."""
    with page.expect_download() as download:
        page.locator("dialog.save").get_by_role("button", name=kind).click()
    wait(page, "document.querySelector('dialog.save [role=status]').textContent.startsWith('Saved')")
    return download.value.suggested_filename, download.value.path().read_bytes()


def frames(content):
    """Decodes a GIF: its frames, and for how many milliseconds each is shown."""
    gif = Image.open(io.BytesIO(content))
    assert gif.info["loop"] == 0
    decoded, shown = [], []
    for i in range(gif.n_frames):
        gif.seek(i)
        decoded.append(gif.convert("RGB"))
        shown.append(gif.info["duration"])
    return decoded, shown


def drawn(page):
    """What the canvas of the dialog shows."""
    address = page.evaluate("document.querySelector('dialog.save canvas').toDataURL()")
    return Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")


def apart(one, other, box=None):
    """How far two pictures are apart on average, in levels of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one.crop(box), other.crop(box))).mean) / 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Small trainings: on pictures, on points of a plane, on one input, and on a table."""
    folder = tmp_path_factory.mktemp("film")
    rows = [f"{i % 7},{i % 11},{i % 5},{3 * (i % 7) - (i % 11)}" for i in range(240)]
    (folder / "table.csv").write_text("\n".join(["size,age,rooms,price", *rows]))
    more = ["--set", "train.early_stopping=false"]
    klubok(folder, "train", "demo:cats-dogs", "-o", "cats-dogs", "--epochs", "6", "--hidden", "64,32", *more)
    klubok(folder, "train", "demo:spirals", "-o", "spirals", "--epochs", "30", *more)
    klubok(folder, "train", "demo:curve", "-o", "curve", "--epochs", "4", *more)
    klubok(folder, "train", "table.csv", "--target", "price", "-o", "table", "--epochs", "6", "--hidden", "32,16", *more)
    return folder


@pytest.fixture(params=["cats-dogs", "spirals", "curve", "table", "report"])
def page(request, runs, window):
    """The page of each of them, and a report without a server."""
    if request.param == "report":
        klubok(runs, "report", "cats-dogs", "-o", "film.html")
        yield window((runs / "film.html").as_uri(), offline=True)
        return
    served = Served(runs, "dashboard", request.param)
    opened = window(served.address)
    yield opened
    opened.close()
    served.end()


def test_a_gif_shows_the_film_from_random_weights_on(page):
    steps = page.evaluate("document.getElementById('slider').max")
    ask_to_save(page)
    wait(page, "document.querySelector('dialog.save canvas').getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255")
    before = drawn(page)
    name, content = saved(page, "GIF")
    assert name == f"{page.locator('#run-name').inner_text()}-film.gif"
    assert len(content) < MOST_BYTES
    decoded, shown = frames(content)
    assert len(decoded) == int(steps) + 1 >= 6
    assert (shown[0], shown[-1]) == (1000, 2000) and 5000 < sum(shown) < 9000
    assert all(frame.size == SIZE for frame in decoded)
    # The last frame is what the dialog showed beforehand, and what its canvas shows now.
    for own in [before, drawn(page)]:
        assert apart(decoded[-1], own) < min(2, apart(decoded[0], own) / 2)
        assert max(high for _, high in ImageChops.difference(decoded[-1], own).getextrema()) < 48
    assert apart(decoded[0], decoded[-1], HERO) > 1
    assert apart(decoded[0], decoded[-1], HEAD) > 1
    for frame in decoded:
        darkest, lightest = frame.crop(HEAD).convert("L").getextrema()
        assert darkest < 80 and lightest == 255


def test_a_report_saves_the_film_of_a_mistake(runs, window):
    klubok(runs, "report", "cats-dogs", "-o", "mistake.html")
    page = window((runs / "mistake.html").as_uri(), offline=True)
    tab(page, "good")
    bring(page, "picture")
    first = page.locator("#panel-picture .name").inner_text()
    page.locator("#panel-picture").get_by_role("button", name="Mistakes").click()
    wait(page, "(first) => ![first, ''].includes(document.querySelector('#panel-picture .name').textContent)", first)
    page.evaluate(LISTEN)
    ask_to_save(page)
    saved(page, "GIF")
    name = page.locator("#panel-picture .name").inner_text()
    assert any(words.startswith(name[:10]) for words in page.evaluate("written")), name


def test_a_gif_has_ones_own_picture_with_what_was_said_of_it(ended, dashboard, window):
    page = window(dashboard.address)
    own = bitmap(True, 1001)
    drop(page, "own.bmp", own, ".shown-picture")
    wait(page, known("state.sample.picture !== null"))
    page.evaluate(LISTEN)
    ask_to_save(page)
    _, content = saved(page, "GIF")
    decoded, _ = frames(content)
    # It stands where the sample stands, in all frames.
    place = (550, 120, 650, 200)
    assert all(apart(frame, decoded[0], place) < 8 for frame in decoded)
    assert ImageStat.Stat(decoded[0].crop(place)).stddev[0] > 20
    written = [words.replace("\u00a0", " ") for words in page.evaluate("written")]
    path = f"api/look/pass?picture={page.evaluate(known('state.sample.picture'))}"
    last = dashboard.ask(path)
    passes = [dashboard.ask(f"{path}&moment={step}") for step in dashboard.ask("api/story")["wholes"] if step < last["step"]] + [last]
    said = {f"{int(100 * p + 0.5)} %" for of in passes for p in of["confidences"]}
    assert {words for words in written if words.endswith(" %")} == said
    # Between two known moments the frames name the one that the confidences are of.
    assert page.evaluate("(step) => import('/moments.js').then(({ nameOf }) => nameOf(step))", passes[0]["step"]) in written
    assert "your picture" in written and "Random weights" in written


def test_a_film_of_a_training_that_goes_on(live, training):
    wait(live, known("state.film.length > 10"))
    live.evaluate(LISTEN)
    ask_to_save(live)
    name, content = saved(live, "GIF")
    decoded, _ = frames(content)
    assert name == "run-film.gif" and len(decoded) > 10
    assert any("of 100 new right" in words for words in live.evaluate("written"))
    mode(live, "training")


def test_a_video_is_recorded_where_the_browser_can(dashboard, window):
    page = window(dashboard.address)
    can = page.evaluate("MediaRecorder.isTypeSupported('video/webm')")
    ask_to_save(page)
    assert page.locator("dialog.save").get_by_role("button", name="WebM").count() == can
    if not can:
        pytest.skip("this browser records no WebM")
    name, content = saved(page, "WebM")
    assert name == "run-film.webm" and content[:4] == b"\x1a\x45\xdf\xa3"
    # The page's policy lets it play nothing, so another page does.
    player = page.context.new_page()
    size, light, differs = player.evaluate("""async (content) => {
      const video = document.createElement("video");
      const draw = () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
        const context = canvas.getContext("2d");
        context.drawImage(video, 0, 0);
        return context.getImageData(0, 0, canvas.width, canvas.height).data;
      };
      const to = (time) => new Promise((done) => { video.onseeked = done; video.currentTime = time; });
      video.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))]));
      await new Promise((done, failed) => { video.onloadeddata = done; video.onerror = failed; });
      await to(0.2);
      const first = draw();
      await to(1e6);
      const last = draw();
      return [[video.videoWidth, video.videoHeight, video.currentTime], first[0], first.filter((c, i) => Math.abs(c - last[i]) > 32).length];
    }""", base64.b64encode(content).decode())
    assert size[:2] == [1440, 900] and 6 < size[2] < 30
    assert light > 240 and differs > 1000


def test_saving_can_be_left(dashboard, window):
    page = window(dashboard.address)
    downloads = []
    page.on("download", lambda download: downloads.append(download))
    ask_to_save(page)
    page.locator("dialog.save").get_by_role("button", name="GIF").click()
    wait(page, "document.activeElement.textContent === 'Cancel'")
    page.keyboard.press("Escape")
    page.locator("dialog.save").wait_for(state="detached")
    # What was begun ends without a file, and it can be begun again.
    ask_to_save(page)
    saved(page, "GIF")
    assert len(downloads) == 1
    assert page.evaluate("document.activeElement.textContent") == "GIF"


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_choice_fits_and_is_accessible(width, height, dashboard, window):
    page = window(dashboard.address, width, height)
    for language, theme in itertools.product(["en", "ru"], ["light", "dark"]):
        if page.locator("html").get_attribute("lang") != language:
            switch(page, "language")
        while page.locator("html").get_attribute("data-theme") != theme:
            switch(page, "theme")
        ask_to_save(page)
        wait(page, "document.querySelector('dialog.save canvas').getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255")
        # Whatever the page's theme, a film is light.
        assert min(drawn(page).getpixel((2, 2))) > 240
        assert not (found := [violation["id"] for violation in Axe().run(page).response["violations"]]), found
        outside = page.evaluate("""[...document.querySelectorAll("dialog.save, dialog.save *")].filter((element) => {
          const { left, right, top, bottom, height } = element.getBoundingClientRect();
          return left < 0 || right > innerWidth || top < 0 || bottom > innerHeight || (element.matches("button") && height < 40);
        }).map((element) => element.outerHTML)""")
        assert not outside, outside
        page.keyboard.press("Escape")

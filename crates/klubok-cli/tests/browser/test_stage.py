"""The first screen: the stage and the film strip, with tabs and the address."""

import json

import pytest

from acts import CHOSEN, DRAWN, TABS, at_best, drop, film_rows, known, mode, switch, tab, wait
from conftest import HOSTILE, PICTURES, Served, bitmap, klubok

WINDOWS = [(1440, 900), (390, 844)]
MOST_TAB_STOPS = 15
FINGER = 40
# What reaches out of its box: of the bar, and of the picture with what is said of it, which stand side by side on a phone.
SPILLED = """() => [["bar-top", "*:not(.menu-box, .menu-box *)"], ["shown-picture figure", "*"], ["says", "*"], ["hero-head", "*"]].flatMap(([box, inside]) => {
  const [found] = document.querySelectorAll(`.${box}`);
  const { top, bottom, left, right } = found?.getBoundingClientRect() ?? {};
  return !found ? [] : [...found.querySelectorAll(inside)].filter((element) => {
    const own = element.getBoundingClientRect();
    return own.width > 0 && !element.closest(".unseen, .tabs button")
      && (own.top < top - 0.5 || own.bottom > bottom + 0.5 || (!element.closest(".tabs") && (own.left < left - 0.5 || own.right > right + 0.5)));
  }).map((element) => `${box}: ${element.id || element.className || element.textContent}`);
})"""
# The picture of each tile that is shown, and what the network says of the sample.
TILES = "[...document.querySelectorAll('.tile-picture.shown')].map((tile) => tile.toDataURL()).join()"
PLANE = "document.querySelector('.plane').toDataURL()"
SAYS = "document.querySelector('.says').innerText"
LOSS_CURSOR = "document.querySelector('.stage-loss svg').innerHTML"
NEXT_FRAME = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
SENTENCE = "document.getElementById('said').textContent"
# What a reader sees of the tab, the moment and the unit.
PLACE = """[document.querySelector('[role=tab][aria-selected=true]').id, document.getElementById('slider').value,
  document.getElementById('moment').textContent, document.querySelector('.live').getAttribute('aria-pressed'),
  !document.getElementById('drawer').hidden, document.getElementById('neuron-layer').value, document.getElementById('neuron-unit').value]"""
# Things to press that can be seen and are smaller than a finger needs, bookmarks excepted: they stand above the strip, and
# the strip, the keys and the button "Live" lead to the same moments.
TOO_SMALL = """(finger) => [...document.querySelectorAll("button, a, .button, summary, select, input[type=range]")].filter((element) => {
  const { top, bottom, left, right, width, height } = element.getBoundingClientRect();
  const seen = top < innerHeight && bottom > 0 && left < innerWidth && right > 0 && element.checkVisibility({ visibilityProperty: true });
  return seen && !element.matches(".bookmark, .unseen") && (width < finger - 0.5 || height < finger - 0.5);
}).map((element) => `${element.nodeName} ${element.className} ${element.textContent} ${element.offsetWidth}x${element.offsetHeight}`)"""


def moved(page, to):
    """Moves the strip, and waits until the stage shows the moment."""
    page.locator("#slider").fill(str(to))
    wait(page, known("state.film.indexOf(state.moment ?? state.film.at(-1)) === argument"), to)
    wait(page, "import('/film.js').then((film) => film.snapshot() !== null)")
    page.evaluate(NEXT_FRAME)


def test_a_run_without_a_page_has_a_whole_film(ended, dashboard, window):
    assert len(list((ended / "film").glob("0*.safetensors"))) >= 40
    page = window(dashboard.address)
    last = int(page.locator("#slider").get_attribute("max"))
    assert last >= 39
    wait(page, known("import('/film.js').then((film) => state.film.every((step) => film.at(step)))"))
    assert page.locator(".tile").count() == 24
    seen = {}
    for at in [0, last // 4, last]:
        moved(page, at)
        seen[at] = [page.evaluate(of) for of in [SENTENCE, SAYS, TILES, "document.querySelector('.flow-drawing').innerHTML"]]
        seen[at].append(page.locator("#moment").inner_text())
    for parts in zip(*seen.values()):
        assert len(set(parts)) == 3, parts
    lines = [json.loads(line) for line in (ended / "metrics.jsonl").read_text().splitlines()]
    assert f"{100 * lines[-1]['val_accuracy']:.0f} of 100" in seen[last][0]
    assert seen[0][4] == "random weights, before the first step"
    # The same moment again is the same.
    moved(page, 0)
    assert [page.evaluate(of) for of in [SENTENCE, SAYS, TILES]] == seen[0][:3]


def test_what_the_stage_says_of_a_picture_is_measured(ended, dashboard, window, tmp_path):
    page = window(dashboard.address)
    first = page.evaluate(SAYS)
    page.locator(".shown-picture").get_by_role("button", name="Next").click()
    wait(page, f"(first) => {SAYS} !== first", first)
    said = page.evaluate(f"{CHOSEN}.then(([chosen]) => chosen.said)")
    passed = dashboard.ask(f"api/look/pass?row={page.evaluate(known('state.sample.row'))}")
    assert said == pytest.approx(passed["confidences"], abs=1e-4)
    # One's own picture gets what `predict` says, with the best weights.
    at_best(page)
    (tmp_path / "own.bmp").write_bytes(bitmap(True, 1001))
    predicted = json.loads(klubok(ended.parent, "predict", "run", str(tmp_path / "own.bmp"), "--json"))
    drop(page, "own.bmp", bitmap(True, 1001), ".shown-picture")
    for name, p in predicted["predictions"][0]["probabilities"].items():
        wait(page, """([name, p]) => [...document.querySelectorAll(".says li")].some((li) => li.querySelector(".class").textContent.includes(name)
          && Math.abs(parseFloat(li.querySelector(".value").textContent) - 100 * p) < 0.51)""", [name, p])
    assert HOSTILE in page.evaluate(SAYS)


def test_the_whole_page_looks_at_one_sample(dashboard, window):
    page = window(dashboard.address)
    of_stage, of_panel = (page.locator(box).get_by_role("button", name="Next") for box in [".shown-picture .picks", "#panel-picture .pair >> nth=0"])
    seen = [""]

    def shown_after(name, button=None):
        """What is chosen in one tab is shown in both."""
        tab(page, name)
        if button:
            button.click()
        for name in ["good", "watch"]:
            tab(page, name)
            box = {"good": "#panel-picture", "watch": ".shown-picture"}[name]
            wait(page, f"""([before, now]) => {{
              const name = document.querySelector("{box} .name").textContent;
              return name !== "" && (now ? name === now : name !== before);
            }}""", [seen[-1], None if name == "good" else page.locator("#panel-picture .name").text_content()])
        seen.append(page.locator(".shown-picture .name").text_content())

    shown_after("good")
    shown_after("good", of_panel)
    shown_after("watch", of_stage)
    # A row that the film does not have.
    pictures = film_rows(page)
    while page.evaluate(known("state.sample.row")) in [None, *pictures]:
        shown_after("good", of_panel)
    passed = dashboard.ask(f"api/look/pass?row={page.evaluate(known('state.sample.row'))}")
    assert passed["name"] == seen[-1]
    said = page.locator(".flow-said").all_text_contents()
    assert said == page.locator(".says .value").all_inner_texts()
    assert [float(share.split()[0]) for share in said] == pytest.approx([100 * share for share in passed["confidences"]], abs=0.51)
    assert page.locator(".flow-drawing path").count() > 0


def test_bookmarks_and_the_film_move_the_strip(dashboard, window):
    page = window(dashboard.address)
    last = page.locator("#slider").get_attribute("max")
    # Between them is what the strip has at that step.
    page.locator(".bookmark", has_text="random").click()
    wait(page, "document.getElementById('slider').value === '0'")
    page.locator(".bookmark", has_text="best").last.click()
    wait(page, "document.getElementById('slider').value !== '0'")
    assert page.locator("#moment").inner_text().startswith(("best weights", "last weights"))
    page.locator(".bookmark", has_text="random").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    wait(page, "Number(document.getElementById('slider').value) > 2")
    page.get_by_role("button", name="Stop", exact=True).click()
    at = page.locator("#slider").input_value()
    page.wait_for_timeout(800)
    assert page.locator("#slider").input_value() == at != last


@pytest.mark.parametrize("name", TABS)
def test_a_link_opens_the_same_place(name, dashboard, window):
    page = window(dashboard.address)
    middle = int(page.locator("#slider").get_attribute("max")) // 2
    assert "#" not in page.url
    page.locator(".tile").nth(7).click()
    tab(page, name)
    page.locator("#slider").fill(str(middle))
    wait(page, "(at) => location.hash.includes('at=') && document.getElementById('slider').value === String(at)", middle)
    # The drawer draws its neuron once it is in sight.
    wait(page, "location.hash.endsWith(`.${document.getElementById('neuron-unit').value}`)")
    address, place = page.url, page.evaluate(PLACE)
    assert place[0] == f"tab-of-{name}" and place[3:5] == ["false", True]
    again = window(address)
    wait(again, f"(place) => String({PLACE}) === place", ",".join(str(part).lower() if isinstance(part, bool) else part for part in place))
    # The stage shows the moment, whether it was chosen here or in another tab.
    tab(page, "watch")
    page.evaluate(NEXT_FRAME)
    stage = [page.evaluate(of) for of in [SENTENCE, SAYS, TILES, LOSS_CURSOR]]
    assert all(stage)
    tab(again, "watch")
    for of, shown in zip([SENTENCE, SAYS, TILES, LOSS_CURSOR], stage):
        wait(again, f"(shown) => {of} === shown", shown)
    page.locator("#slider").fill("0")
    page.locator("#slider").fill(str(middle))
    page.evaluate(NEXT_FRAME)
    for of, shown in zip([SENTENCE, SAYS, TILES, LOSS_CURSOR], stage):
        wait(page, f"(shown) => {of} === shown", shown)
    # A link that is followed within the page, and one to nothing.
    again.evaluate("location.hash = '#tab=lab&at=0'")
    wait(again, "document.getElementById('slider').value === '0' && !document.getElementById('tab-lab').hidden")
    again.evaluate("location.hash = '#tab=nowhere&at=some&unit=hidden1.many'")
    again.locator("#close-drawer").click()
    again.locator("#drawer").wait_for(state="hidden")
    again.locator(".live").click()
    tab(again, "watch")
    wait(again, "location.hash === ''")


def test_tabs_work_with_keys(dashboard, window):
    page = window(dashboard.address)
    page.locator("#tab-of-watch").focus()
    for name in [*TABS[1:], TABS[0]]:
        page.keyboard.press("ArrowRight")
        wait(page, "(id) => document.activeElement.id === id && !document.getElementById(id.replace('-of', '')).hidden", f"tab-of-{name}")
        assert page.locator("[role=tabpanel]:visible").count() == 1
    page.keyboard.press("ArrowLeft")
    wait(page, "document.activeElement.id === 'tab-of-lab' && !document.getElementById('tab-lab').hidden")
    # The tiles are one stop, and the arrows move within.
    tab(page, "watch")
    page.locator(".tile").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("[...document.querySelectorAll('.tile')].indexOf(document.activeElement)") == 7
    assert page.locator(".tile[tabindex='0']").count() == 1
    unit = page.locator(".tile").nth(7).get_attribute("aria-label")
    page.keyboard.press("Enter")
    page.locator("#drawer").wait_for()
    wait(page, "(unit) => unit.endsWith(` ${document.getElementById('neuron-unit').value}`)", unit)
    page.keyboard.press("Escape")
    page.locator("#drawer").wait_for(state="hidden")


def test_a_playing_film_ends_where_another_moment_is_chosen(dashboard, window):
    page = window(dashboard.address)
    for leave in [lambda: page.locator(".live").click(), lambda: page.keyboard.press("Home"), lambda: switch(page, "language")]:
        page.locator(".play-film").click()
        wait(page, "document.querySelector('.play-film').textContent === '❚❚'")
        leave()
        wait(page, "document.querySelector('.play-film').textContent === '▶'")
        at = page.evaluate(known("state.moment"))
        page.wait_for_timeout(700)
        assert page.evaluate(known("state.moment")) == at


def test_steps_in_a_row_are_answered_for_a_row_outside_of_the_film(live, training):
    training.ask("api/act", {"act": "pause"})
    mode(live, "resting")
    row = next(row for row in range(300) if row not in film_rows(live))
    live.evaluate(f"import('/state.js').then((store) => store.setSample({{ row: {row} }}))")
    at = training.now()["step"]
    for _ in range(2):
        live.locator("#acts").get_by_role("button", name="One step").click()
        live.wait_for_timeout(200)
    wait(live, known("state.now.step >= argument"), at + 2)
    wait(live, f"{CHOSEN}.then(([chosen, snapshot]) => chosen?.step === snapshot.step)")


@pytest.mark.parametrize("name", TABS)
def test_the_slider_is_near_the_start_of_the_page(name, live, training):
    training.ask("api/act", {"act": "pause"})
    mode(live, "resting")
    tab(live, name)
    live.reload()
    live.wait_for_selector("html.ready")
    assert live.locator(f"#tab-of-{name}").get_attribute("aria-selected") == "true"
    stops = []
    while not stops or stops[-1] != "slider":
        live.keyboard.press("Tab")
        stops.append(live.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.textContent"))
        assert len(stops) <= MOST_TAB_STOPS, stops
    assert live.locator("#slider").evaluate("(slider) => slider.closest('.track').matches(':has(:focus-visible)')")


@pytest.mark.parametrize(("width", "height"), WINDOWS)
def test_nothing_moves_while_a_training_runs(training, window, width, height):
    page = window(f"{training.address}#token={training.token}", width, height)
    wait(page, DRAWN)
    epoch = page.evaluate(known("state.now.epoch"))
    wait(page, known("state.now.epoch > argument + 20"), epoch)
    # A pause and a look back move nothing either.
    page.keyboard.press(" ")
    mode(page, "resting")
    page.keyboard.press("Home")
    wait(page, "document.getElementById('slider').value === '0'")
    page.wait_for_timeout(600)
    page.keyboard.press("End")
    page.keyboard.press(" ")
    mode(page, "training")
    page.wait_for_timeout(2000)
    # Before the page ends: its training outlasts it.
    shifts = page.evaluate("shifts")
    page.close()
    assert sum(value for value, _ in shifts) == 0, shifts


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(("width", "height"), WINDOWS)
def test_the_first_screen_fits(width, height, language, training, window):
    page = window(f"{training.address}#token={training.token}", width, height)
    wait(page, DRAWN)
    wait(page, known("state.phases.length > 0"))
    if language == "ru":
        switch(page, "language")
        page.mouse.move(0, 0)
    wait(page, f"{SENTENCE} !== ''")
    # While it trains, and paused: the bar has more buttons then.
    for key in ["End", "Home", " "]:
        page.keyboard.press(key)
        if key == " ":
            mode(page, "resting")
        page.wait_for_timeout(300)
        wide, stage, strip = page.evaluate("""[document.documentElement.scrollWidth - innerWidth,
          document.getElementById('stage').getBoundingClientRect().bottom, document.getElementById('time').getBoundingClientRect().top]""")
        assert wide <= 0, f"{wide} pixels too wide"
        outside = page.evaluate("""[...document.querySelectorAll('.bar-top *, .stage *, .strip *')].filter((element) => {
          const { left, right, width } = element.getBoundingClientRect();
          return width > 0 && !element.closest('.unseen, svg, .tabs') && (left < -0.5 || right > innerWidth + 0.5);
        }).map((element) => element.id || element.className || element.nodeName)""")
        assert not outside, outside
        cut = page.evaluate("""[...document.querySelectorAll('.shown-picture, .hero, .stage-loss, .say, .says li')].filter((element) =>
          element.scrollHeight > element.clientHeight + 1).map((element) => element.className)""")
        assert not cut, cut
        assert width < 760 or stage <= strip, (stage, strip)
        spilled = page.evaluate(SPILLED)
        assert not spilled, spilled
        assert not (small := page.evaluate(TOO_SMALL, FINGER)), small
    page.close()


def test_what_the_bar_has_does_not_cover_the_tabs(live, training):
    training.ask("api/act", {"act": "pause"})
    mode(live, "resting")
    for language in ["en", "ru"]:
        if language == "ru":
            switch(live, "language")
        for width in [1440, 1366, 1280, 1201, 1101, 1024, 901, 800, 761]:
            live.set_viewport_size({"width": width, "height": 800})
            tabs, first, last = live.evaluate("""() => {
              const places = [...document.querySelectorAll(".bar-right > *, .acts > *")].map((element) => element.getBoundingClientRect()).filter(({ width }) => width > 0);
              const tabs = [...document.querySelectorAll("[role=tab]")].map((element) => element.getBoundingClientRect().right);
              return [Math.max(...tabs), Math.min(...places.map(({ left }) => left)), Math.max(...places.map(({ right }) => right))];
            }""")
            assert tabs <= first and last <= width, (language, width, tabs, first, last)


def test_every_tab_can_be_pressed_with_a_finger(dashboard, window):
    page = window(dashboard.address, 390, 844, has_touch=True)
    for name in reversed(TABS):
        page.locator(f"#tab-of-{name}").tap()
        page.locator(f"#tab-{name}").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_phone_shows_all_tabs_and_whether_it_trains(language, live):
    live.set_viewport_size({"width": 390, "height": 844})
    if language == "ru":
        switch(live, "language")
    tabs = live.evaluate("[...document.querySelectorAll('[role=tab]')].map((tab) => { const { left, right } = tab.getBoundingClientRect(); return [left, right, tab.scrollWidth - tab.clientWidth]; })")
    assert len(tabs) == len(TABS) and all(0 <= left and right <= 390 and cut <= 0 for left, right, cut in tabs), tabs
    words = {"en": ["training", "paused"], "ru": ["учится", "пауза"]}[language]
    mode(live, "training")
    assert words[0] in live.locator("#mode").inner_text() and live.locator("#mode").is_visible()
    live.locator("#acts .strong").click()
    mode(live, "resting")
    assert words[1] in live.locator("#mode").inner_text() and live.locator("#mode").is_visible()


@pytest.mark.parametrize(("width", "height"), WINDOWS)
def test_frames_of_the_strip_can_be_seen(width, height, dashboard, window):
    page = window(dashboard.address, width - 10, height)
    wait(page, known("import('/film.js').then((film) => state.film.every((step) => film.at(step)))"))
    page.evaluate("""() => {
      window.drawn = [];
      const draw = CanvasRenderingContext2D.prototype.drawImage;
      CanvasRenderingContext2D.prototype.drawImage = function (...what) {
        if (this.canvas.matches(".frames")) drawn.push([what[1], what[3]]);
        draw.apply(this, what);
      };
    }""")
    page.set_viewport_size({"width": width, "height": height})
    wait(page, "drawn.length > 0")
    drawn = page.evaluate("drawn")
    assert len(drawn) >= 5 and min(wide for _, wide in drawn) >= 36, drawn
    track = page.locator(".frames").bounding_box()["width"]
    assert drawn[0][0] < 20 and sum(drawn[-1]) > track - 20


def test_the_strip_has_a_ring_for_the_keyboard_alone(dashboard, window):
    page = window(dashboard.address)
    outline = "getComputedStyle(document.querySelector('.track')).outlineStyle"
    box = page.locator("#slider").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.evaluate("document.activeElement.id") == "slider" and page.evaluate(outline) == "none"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "slider" and page.evaluate(outline) == "solid"


def test_what_a_panel_is_about_stands_beside_its_title(dashboard, window):
    page = window(dashboard.address)
    for name in TABS:
        tab(page, name)
        apart = page.evaluate("""(name) => [...document.querySelectorAll(`#tab-${name} .panel`)].filter((panel) => panel.querySelector(".about").checkVisibility()).map((panel) => {
          const [title, sign] = [panel.querySelector("h2"), panel.querySelector(".about > summary")].map((element) => element.getBoundingClientRect());
          return [panel.id, Math.abs((title.top + title.bottom - sign.top - sign.bottom) / 2), sign.left - title.right];
        })""", name)
        assert apart and all(off < 8 and gap >= 0 for _, off, gap in apart), apart


def test_tiles_do_not_fade_for_those_who_want_no_motion(dashboard, window):
    durations = "[...document.querySelectorAll('.tile-picture, .tile, .say')].map((element) => ['', '::before', '::after'].map((of) => getComputedStyle(element, of || undefined).transitionDuration)).flat()"
    assert set(window(dashboard.address).evaluate(durations)) != {"0s"}
    assert set(window(dashboard.address, reduced_motion="reduce").evaluate(durations)) == {"0s"}


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    """Small trainings without a page: pictures, and points of a plane."""
    folder = tmp_path_factory.mktemp("demos")
    klubok(folder, "train", "demo:cats-dogs", "-o", "cats-dogs", "--epochs", "12", "--hidden", "64,32", "--set", "train.early_stopping=false")
    klubok(folder, "train", "demo:spirals", "-o", "spirals", "--epochs", "80", "--set", "train.early_stopping=false")
    return folder


@pytest.mark.parametrize("name", ["cats-dogs", "spirals"])
def test_the_first_screen_of_demos(name, demos, window):
    served = Served(demos, "dashboard", name)
    try:
        hero = TILES if name == "cats-dogs" else PLANE
        for width, height in WINDOWS:
            page = window(served.address, width, height)
            last = int(page.locator("#slider").get_attribute("max"))
            assert last >= 39
            wait(page, known("import('/film.js').then((film) => state.film.every((step) => film.at(step)))"))
            seen = []
            for k, at in enumerate([0, last // 2, last], 1):
                moved(page, at)
                assert not (spilled := page.evaluate(SPILLED)), spilled
                page.wait_for_timeout(300)  # tiles fade
                seen.append([page.evaluate(of) for of in [SAYS, hero, "document.getElementById('moment').textContent"]])
                page.screenshot(path=PICTURES / f"stage-{name}-{width}-{k}.png")
            for parts in zip(*seen):
                assert len(set(parts)) == 3, parts
            page.close()
    finally:
        served.end()

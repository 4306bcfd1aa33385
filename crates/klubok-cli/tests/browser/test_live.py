"""The live page of a training: curves, controls, keys."""

import pytest

from acts import CURVES, DRAWN, bring, known, mode, step, switch, wait, wait_for_figure

LINES = known("state.lines.length")
BANDS = "document.querySelectorAll('#panel-curves .phases rect').length"
# The page has received every record of metrics and events.
ALL_RECEIVED = known("String([state.epochs, state.steps, state.events].map((all) => all.length)) === String(state.now.lines)")


def grows(page, lines=0, curve=DRAWN):
    """Waits until the page has more lines by so many, and draws another curve than now."""
    known_lines, drawn = page.evaluate(LINES), page.evaluate(curve)
    wait(page, known("state.lines.length > argument"), known_lines + lines)
    wait(page, f"(drawn) => {curve} !== drawn", drawn)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_page_appears_at_once_without_layout_shifts(training, window, width, height):
    paints = []
    for _ in range(3):
        page = window(f"{training.address}#token={training.token}", width, height)
        wait(page, DRAWN)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        grows(page, 2)
        shifts = page.evaluate("shifts")
        page.close()
        assert sum(value for value, _ in shifts) < 0.001, shifts
    assert sorted(paints)[1] < 1000, f"milliseconds to the first paint: {paints}"


def test_curves_grow_and_phases_appear(live):
    wait(live, DRAWN)
    grows(live)
    wait(live, "document.querySelectorAll('.strip-phases span').length > 0")
    wait(live, "document.querySelectorAll('.stage-loss .phases rect').length > 0")
    wait(live, "document.querySelector('.say').dataset.phase !== 'none'")
    wait(live, "document.getElementById('phase').dataset.phase !== 'none'")
    bring(live, "sentence")
    wait(live, "document.querySelector('#panel-sentence .phase-line').dataset.phase !== 'none'")
    bring(live, "curves")
    wait(live, CURVES)
    grows(live, curve=CURVES)
    wait(live, f"{BANDS} > 0")


def test_pause_one_step_one_epoch_and_learning_rate(live, training):
    bar, panel = live.locator("#acts"), live.locator("#panel-status .controls")
    bar.get_by_role("button", name="Pause", exact=True).click()
    mode(live, "resting")
    at = training.now()["step"]
    wait(live, known("state.now.step === argument"), at)
    bring(live, "status")
    live.wait_for_timeout(600)  # long enough for a step to show
    assert training.now()["step"] == at == step(live)
    for buttons in [panel, bar]:
        buttons.get_by_role("button", name="One step", exact=True).click()
        wait(live, known("state.now.step > argument && state.now.mode === 'resting'"), at)
        live.wait_for_timeout(600)
        at += 1
        assert training.now()["step"] == at == step(live)
    panel.get_by_role("button", name="One epoch", exact=True).click()
    wait(live, known("state.now.step > argument && state.now.mode === 'resting' && state.now.step % state.now.steps_per_epoch === 0"), at)
    at = training.now()["step"]
    assert at % training.now()["steps_per_epoch"] == 0
    live.get_by_label("Learning rate", exact=True).fill("0.002")
    live.get_by_role("button", name="Set", exact=True).click()
    panel.get_by_role("button", name="Go on", exact=True).click()
    mode(live, "training")
    wait(live, known("Math.abs(learningRate() - 0.002) < 1e-6"))
    wait_for_figure(live, "Learning rate", "0.0020")
    panel.get_by_role("button", name="Pause", exact=True).click()
    mode(live, "resting")
    bar.get_by_role("button", name="Go on", exact=True).click()
    mode(live, "training")
    bring(live, "repeat")
    wait(live, "document.querySelector('#panel-repeat .body').innerText.includes('learning rate 0.002')")
    assert "klubok train --replay" in live.locator("#panel-repeat").inner_text()


def test_a_reload_restores_everything(live, training):
    wait(live, known("state.lines.length > 3"))
    training.ask("api/act", {"act": "pause"})
    mode(live, "resting")
    wait(live, ALL_RECEIVED)
    switch(live, "language")
    switch(live, "theme")
    bring(live, "curves")
    live.get_by_role("button", name="Эпохи", exact=True).click()
    shown = known("[state.lines.length, state.events.length, state.now.step, document.documentElement.lang, document.documentElement.dataset.theme]")
    before = live.evaluate(shown)
    assert before[3:] == ["ru", "light"]
    live.reload()
    live.wait_for_selector("html.ready")
    assert live.evaluate(shown) == before
    assert "token" not in live.url
    live.locator("#acts").get_by_role("button", name="Продолжить", exact=True).click()
    mode(live, "training")
    bring(live, "curves")
    wait(live, CURVES)
    assert live.locator("#panel-curves .chart .title").last.text_content() == "эпохи"


def test_keys_do_what_buttons_do(live):
    mode(live, "training")
    wait(live, known("state.lines.length > 3"))
    live.keyboard.press(" ")
    mode(live, "resting")
    wait(live, ALL_RECEIVED)
    shown = live.locator("#moment").inner_text
    last = shown()
    live.keyboard.press("ArrowLeft")
    wait(live, "(last) => document.getElementById('moment').textContent !== last", last)
    assert live.locator(".live").get_attribute("aria-pressed") == "false"
    live.keyboard.press("Home")
    wait(live, "document.getElementById('slider').value === '0'")
    assert shown() == "random weights, before the first step"
    live.keyboard.press("ArrowRight")
    wait(live, "document.getElementById('slider').value === '1'")
    live.keyboard.press("End")
    wait(live, "document.querySelector('.live').getAttribute('aria-pressed') === 'true'")
    assert shown() == last
    live.keyboard.press("?")
    assert live.locator("#help").is_visible()
    live.keyboard.press("Escape")
    assert not live.locator("#help").is_visible()
    live.keyboard.press(" ")
    mode(live, "training")


def test_without_a_token_the_page_is_view_only(training, window):
    page = window(training.address)
    wait(page, DRAWN)
    bring(page, "status")
    page.locator("#menu > summary").click()
    assert page.locator("#theme").is_visible()
    for acts in ["#panel-status .controls", "#acts", "#menu .menu-box button:last-child"]:
        assert not page.locator(acts).is_visible(), acts
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press(" ")
    grows(page)
    assert training.now()["mode"] == "training"


def test_stopping_asks_for_confirmation(live):
    for place in ["#panel-status", "#menu"]:
        if place == "#menu":
            live.locator("#menu > summary").click()
        live.locator(place).get_by_role("button", name="Stop and keep the best").click()
        assert live.locator("#ask").is_visible()
        assert "cannot go on" in live.locator("#ask-text").inner_text()
        live.get_by_role("button", name="Cancel").click()
        assert live.locator("#mode").get_attribute("data-mode") == "training"

"""Person: a new face at each refresh, another at each click, the same for a seed."""

from nicegui import ui

from tests.web.pages.visitor import visit


def shown(user):
    found = [e for e in user.client.elements.values() if e.tag == "img" and e.props["alt"]]
    return found[0].props["src"]


def test_a_new_one_at_each_visit_and_click(tmp_path, monkeypatch):
    async def what(user, studio):
        seen = set()
        for _ in range(2):
            await user.open("/person")
            seen.add(shown(user))
        user.press("Another")
        seen.add(shown(user))
        assert len(seen) == 3
        await user.open("/person?model=digits-cgan&seed=7")
        assert shown(user) == "/person.png?seed=7&model=digits-cgan"
        await user.should_see("seed 7")
        (select,) = user.find(kind=ui.select).elements
        assert "emoji-stylegan2" in select.options
        assert "emoji-vqgan" not in select.options

    visit(tmp_path, monkeypatch, what)


def test_one_is_kept_by_way_of_the_queue(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/person?model=digits-cgan&seed=7")
        user.press("Keep")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        assert (job.parsed().model, job.parsed().seed) == ("digits-cgan", 7)

    visit(tmp_path, monkeypatch, what)

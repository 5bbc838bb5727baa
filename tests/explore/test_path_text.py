"""The path language: reading, spelling, and recipe data."""

import json
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.explore.path_text import parse_path, path_data, path_of
from phosphene.explore.paths import EASINGS, WAYS, Mix, Path, Stop, Term, Track

few = settings(max_examples=30)
LETTERS = "abcXYZ09.é"
SIGNS = LETTERS + "=;~@+-*(),[]:|& \n\t💚\0"


class Drawn:
    """Values drawn by a seed: a strategy must not make what is type-checked while it is made."""

    def __init__(self, seed):
        self.dice = random.Random(seed)

    def name(self):
        words = ["".join(self.dice.choices(LETTERS, k=self.dice.randint(1, 5))) for _ in range(3)]
        signs = "".join(self.dice.choices(SIGNS, k=self.dice.randint(1, 8)))
        return self.dice.choice([words[0], " ".join(words), "-".join(words), signs])

    def seed(self):
        return str(self.dice.randrange(2**63))

    def weight(self):
        return self.dice.choice([1.0, -1.0, 0.5, 0.0, self.dice.uniform(-1e20, 1e20), 1e-9])

    def mix(self, name, depth=0):
        count = self.dice.randint(1, 3)
        return Mix(tuple(self.term(name, self.dice.randint(0, depth)) for _ in range(count)))

    def term(self, name, depth):
        if depth == 0:
            return Term(self.weight(), name())
        function, count = self.dice.choice([("sin", 1), ("unit", 1), ("across", 2)])
        inside = tuple(self.mix(name, depth - 1) for _ in range(count))
        return Term(self.weight(), function=function, arguments=inside)

    def psi(self):
        return Mix((Term(1.0, repr(self.dice.uniform(0, 3))),))

    def track(self, value):
        count = self.dice.randint(1, 4)
        timed = self.dice.random() < 0.5
        stops = tuple(Stop(value(), i / 7 if timed else None) for i in range(count))
        return Track(stops, self.dice.choice(list(EASINGS)), self.dice.choice([None, *WAYS]))

    def path(self):
        tracks = {
            "z": self.track(lambda: self.mix(self.seed, depth=3)),
            "class": self.track(lambda: self.mix(self.name)),
            "psi": self.track(self.psi),
            "w[0-3]": self.track(lambda: self.mix(self.seed)),
        }
        chosen = self.dice.sample(list(tracks), self.dice.randint(1, 4))
        return Path({name: tracks[name] for name in chosen}, self.dice.random() < 0.5)


seeds = st.integers(0, 2**32)


@few
@given(seed=seeds)
def test_a_spelled_path_is_read_as_itself(seed):
    path = Drawn(seed).path()
    assert parse_path(str(path)) == path


@few
@given(seed=seeds)
def test_recipe_data_gives_the_path_back(seed):
    path = Drawn(seed).path()
    assert path_of(json.loads(json.dumps(path_data(path)))) == path


@few
@given(text=st.text("z=;~@+-*(),[]: 79.loopsinfoxclass'\"\n💚", max_size=40))
@example(text="(" * 500)
@example(text="z=" + "sin(" * 300 + "7" + ")" * 300)
@example(text="z = 1e999*7")
@example(text="w[0-3")
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        path = parse_path(text)
    except RecipeError as error:
        said = str(error)
    else:
        said = ""
        assert parse_path(str(path)) == path
    assert "\n" not in said
    assert len(said) < 500


def test_a_line_of_everything():
    path = parse_path(
        "z = 7 ~ -8 ~ sin(9)@0.75 : smooth curve; class = 0.5*face-smiling + bow tie - 'x, y'; "
        "psi = 1 ~ 0.4; noise = 3; w[coarse] = 5 ~ 2*5 - 6; loop"
    )
    assert path.loop
    assert list(path.tracks) == ["z", "class", "psi", "noise", "w[coarse]"]
    z = path.tracks["z"]
    assert (z.ease, z.way) == ("smooth", "curve")
    assert z.stops[1] == Stop(Mix((Term(-1.0, "8"),)))
    assert z.stops[2] == Stop(Mix((Term(1.0, function="sin", arguments=(_seed("9"),)),)), 0.75)
    assert path.tracks["class"].stops[0].value.terms == (
        Term(0.5, "face-smiling"),
        Term(1.0, "bow tie"),
        Term(-1.0, "x, y"),
    )
    assert path.tracks["psi"].stops[1].value.number == 0.4


def _seed(name):
    return Mix((Term(1.0, name),))


def test_hyphens_in_words_are_no_minus():
    assert parse_path("class = lion-cat") != parse_path("class = lion - cat")
    assert parse_path("class = jack-o'-lantern").tracks["class"].stops[0].value == Mix(
        (Term(1.0, "jack-o'-lantern"),)
    )
    assert parse_path("class = lion -cat") == parse_path("class = lion - cat")
    assert parse_path("z=7~8;loop") == parse_path(" z = 7 ~ 8 ; loop ; ")


def test_parentheses_distribute_weights():
    assert parse_path("z = 2*(7 - 3*(8 + 9))") == parse_path("z = 2*7 - 6*8 - 6*9")


def test_recipe_data_has_short_forms():
    wanted = parse_path("z = 7 ~ 8@0.5 : smooth; psi = 1 ~ 0.4 : curve; loop")
    long_z = {"stops": [7, {"value": "8", "at": 0.5}], "ease": "smooth"}
    assert path_of({"tracks": {"z": long_z, "psi": "1 ~ 0.4 : curve"}, "loop": True}) == wanted
    assert path_of({"tracks": {"z": ["7", 8]}}) == path_of("z = 7 ~ 8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no keyframes"),
        ("  ;; ", "no keyframes"),
        ("loop", "no keyframes"),
        ("z", "expected ="),
        ("z =", "ends too early"),
        ("z = ~ 8", "at '~ 8': expected a name"),
        ("z = 7 8", "'7 8' is no seed"),
        ("z = 7 ~ 8 psi = 1", "at '= 1': expected ; between two parts"),
        ("zz = 7", "unknown track 'zz'"),
        ("clas = fox", "did you mean 'class'"),
        ("bred(fox, owl)", "unknown trick 'bred'; did you mean 'breed'"),
        ("breed(fox)", "write breed(fox, owl)"),
        ("breed = fox", "breed"),
        ("z = 7 : smoth", "unknown easing or way 'smoth'; did you mean 'smooth'"),
        ("z = 7 :", "expected an easing"),
        ("z = 7@soon", "at 'soon': expected a time"),
        ("z = 7@-1", "times go from 0 to 1"),
        ("psi = -0.2 ~ 1", "psi is -0.2; use 0"),
        ("z = sni(7)", "unknown function 'sni'; did you mean 'sin'"),
        ("z = fox*7", "at 'fox*7': expected a weight"),
        ("class = 'fox", "expected a name"),
        ("z = 7; z = 8", "z is given twice"),
        ("background(7); z = 8", "z is given twice"),
        ("z = 7 | 8", "at '| 8': expected ;"),
        ("z = 7" + " ~ 7" * 9000, "20,000"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(RecipeError) as caught:
        parse_path(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no keyframes"),
        ({"tracks": {"z": []}}, "no keyframes"),
        ({"trakcs": {}}, "unknown field of a path 'trakcs'; did you mean 'tracks'"),
        ({"tracks": [7]}, "tracks by name"),
        ({"tracks": {"z": 7}}, "track 'z' is '7'; give a list of stops"),
        ({"tracks": {"z": {"stop": [7]}}}, "did you mean 'stops'"),
        ({"tracks": {"z": [{"vaule": 7}]}}, "did you mean 'value'"),
        ({"tracks": {"z": [None]}}, "a stop of 'z' is 'None'"),
        ({"tracks": {"z": [True]}}, "a stop of 'z' is 'True'"),
        ({"tracks": {"z": [{"value": 7, "at": "now"}]}}, "a value and perhaps a time"),
        ({"tracks": {"z": ["7 ~ 8"]}}, "expected the end"),
        ({"tracks": {"z": "7; loop"}}, "expected the end"),
        ({"tracks": {"z": [7]}, "loop": "yes"}, "loop as true or false"),
    ],
)
def test_recipe_data_of_another_shape_is_refused(data, message):
    with pytest.raises(RecipeError) as caught:
        path_of(data)
    assert message in str(caught.value)

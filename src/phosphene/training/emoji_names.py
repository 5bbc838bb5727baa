"""Which emoji make good training pictures, and what the sets call them.

Pure rules over the records of emojibase (label, tags, group, subgroup); no files, no pictures.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COLOURS = frozenset(
    {
        "red",
        "orange",
        "yellow",
        "green",
        "blue",
        "purple",
        "pink",
        "brown",
        "black",
        "white",
        "grey",
        "gray",
        "golden",
        "gold",
        "silver",
        "cyan",
        "turquoise",
        "violet",
        "blond",
        "blonde",
        "rainbow",
    }
)
HELD_OUT_SHARE = 0.05

# Signs, letters and buttons: pictures of text teach a small painter nothing but noise.
_DROPPED_SUBGROUPS = frozenset(
    {
        "skin-tone",
        "hair-style",
        "transport-sign",
        "warning",
        "arrow",
        "religion",
        "zodiac",
        "av-symbol",
        "gender",
        "math",
        "punctuation",
        "currency",
        "keycap",
        "alphanum",
        "flag",
        "country-flag",
        "subdivision-flag",
        "family",
    }
)
_DROPPED_GROUPS = frozenset({"component", "flags"})
_KEPT_SYMBOLS = frozenset({"fleur-de-lis", "trident-emblem", "sparkle", "splatter", "check-mark"})
_KEPT_SHAPES = re.compile(
    r"(red|orange|yellow|green|blue|purple|brown|black|white)-circle"
    r"|(red|orange|yellow|green|blue|purple|brown)-square|large-(orange|blue)-diamond"
)
_DROPPED_CONCEPTS = frozenset(
    {
        "middle-finger",
        "hundred-points",
        "zzz",
        "label",
        "e-mail",
        "bookmark-tabs",
        "admission-tickets",
        "ticket",
        "left-speech-bubble",
        "right-anger-bubble",
        "eye-in-speech-bubble",
        "muted-speaker",
        "speaker-low-volume",
        "speaker-medium-volume",
        "globe-with-meridians",
        "map-of-japan",
        "incoming-envelope",
        "envelope-with-arrow",
        "outbox-tray",
        "inbox-tray",
        "bell-with-slash",
        "bust-in-silhouette",
        "busts-in-silhouette",
        "cross-mark-button",
        "check-mark-button",
        "closed-mailbox-with-lowered-flag",
        "open-mailbox-with-lowered-flag",
        "placard",
        "identification-card",
        "white-flower",
        "input-symbols",
        "cigarette",
    }
)
_DROPPED_WORDS = re.compile(
    r"oclock$|-thirty$|facing-right|gesturing-(no|ok)$|^(family|kiss|couple-with-heart)-"
    r"|backhand-index|^index-pointing|wards-(hand|pushing-hand)$|cinema$|^keycap"
)

# FxEmojis squeezes names together and has its own words: its name -> our concept.
_FX_PAIRS = """
2hearts=two-hearts americasglobe=globe-showing-americas angry=angry-face anguish=anguished-face
asiaaustraliaglobe=globe-showing-asia-australia astonished=astonished-face aubergine=eggplant
bactriancamel=two-hump-camel banknotedollar=dollar-banknote banknoteeuro=euro-banknote
banknotepound=pound-banknote banknoteyen=yen-banknote bath=person-taking-bath
beachumbrella=beach-with-umbrella bicyclist=person-biking billiards=pool-8-ball
blackclubsuit=club-suit blackdiamondsuit=diamond-suit blackheartsuit=heart-suit
blackpushpin=pushpin blackscissors=scissors blackskullcrossbones=skull-and-crossbones
blackspadesuit=spade-suit blacktelephone=telephone bolt=high-voltage boot=womans-boot
bouquetofflowers=bouquet bowing=person-bowing bride=person-with-veil bullhorn=megaphone
bullhornwithsoundwaves=loudspeaker bunny=rabbit-face bunnyside=rabbit catside=cat
cellphone=mobile-phone chartdownwardstrend=chart-decreasing chartupwardstrend=chart-increasing
chilipepper=hot-pepper clap=clapping-hands closedmailboxraised=closed-mailbox-with-raised-flag
coldsweat=anxious-face-with-sweat confetti=party-popper confounded=confounded-face
confused=confused-face construct=construction-worker constructionsign=construction
cop=police-officer couple=couple-with-heart couplekiss=kiss crying=crying-face
curryandrice=curry-rice daggerknife=dagger dancer=woman-dancing darksunglasses=sunglasses
devilhorns=smiling-face-with-horns directhit=bullseye disappointed=disappointed-face
dissapointedrelief=sad-but-relieved-face dogside=dog doveofpeace=dove dragonhead=dragon-face
dragonside=dragon dromedarycamel=camel earofmaize=ear-of-corn earofrice=sheaf-of-rice
electrictorch=flashlight emptypage=page-facing-up europeafricaglobe=globe-showing-europe-africa
europeancastle=castle evergreen=evergreen-tree expressionless=expressionless-face
fallingleaf=fallen-leaf fatherchristmas=santa-claus fearful=fearful-face fireworksparkler=sparkler
fishcakeswirl=fish-cake-with-swirl fishingpoleandfish=fishing-pole fistedhand=raised-fist
flexbicep=flexed-biceps flushed=flushed-face folder=file-folder forkknife=fork-and-knife
framewithpicture=framed-picture framewithtiles=window frontfacingchick=front-facing-baby-chick
fullmoonwithface=full-moon-face gem=gem-stone gma=old-woman golfer=person-golfing gpa=old-man
grimacing=grimacing-face grin=grinning-face grineyes=grinning-face-with-smiling-eyes
grinsquint=grinning-squinting-face grinsweat=grinning-face-with-sweat
grintears=face-with-tears-of-joy grinwide=grinning-face-with-big-eyes guardsman=guard
haircut=person-getting-haircut halo=smiling-face-with-halo hampster=hamster hand=raised-hand
handheldvideocamera=video-camera hands=open-hands headmassage=person-getting-massage
heartarrow=heart-with-arrow heartblue=blue-heart hearteyes=smiling-face-with-heart-eyes
heartgreen=green-heart heartpurple=purple-heart heartribbon=heart-with-ribbon
heartyellow=yellow-heart heels=high-heeled-shoe high5=raising-hands
highspeedtrainbulletnose=bullet-train hocho=kitchen-knife hourglass=hourglass-done
hourglassflowingsand=hourglass-not-done housebuilding=house housebuildings=houses
hushed=hushed-face izakayalantern=red-paper-lantern japaneseangrymask=ogre
kissclosedeyes=kissing-face-with-closed-eyes kisseyes=kissing-face-with-smiling-eyes
kissing=kissing-face largebluecircle=blue-circle largeredcircle=red-circle
leaffluttering=leaf-fluttering-in-wind leftmagnifyingglass=magnifying-glass-tilted-left
leftthoughtbubble=thought-balloon leftwritinghand=writing-hand leopardside=leopard lips=mouth
lock=locked lockandkey=locked-with-key lockwithinkpen=locked-with-pen
loudlycrying=loudly-crying-face lowerleftcrayon=crayon lowerleftfountainpen=fountain-pen
lowerleftpaintbrush=paintbrush lowerleftpen=pen lowerleftpencil=pencil
maninbusinesssuitlevitating=person-in-suit-levitating manltepiececlock=mantelpiece-clock
mansshirt=t-shirt medicalmask=face-with-medical-mask mensrunner=running-shoe mensshoe=mans-shoe
minidisc=computer-disk monkeyhear=hear-no-evil-monkey monkeysee=see-no-evil-monkey
monkeyspeak=speak-no-evil-monkey mouseside=mouse moyai=moai multiplemusicalnotes=musical-notes
neutral=neutral-face newmoonwithface=new-moon-face nomouth=face-without-mouth note=musical-note
notebookdecorativecover=notebook-with-decorative-cover notepad=spiral-notepad
oldpersonalcomputer=desktop-computer onebuttonmouse=computer-mouse openfolder=open-file-folder
openlock=unlocked openmailboxraised=open-mailbox-with-raised-flag openmouth=face-with-open-mouth
opticaldisc=optical-disk pandaface=panda pensive=pensive-face perservere=persevering-face
personalcomputer=laptop pigside=pig pigsnout=pig-nose pinkwallet=purse playingcardblackjoker=joker
poo=pile-of-poo portablestereo=radio pouting=enraged-face pray=folded-hands present=wrapped-gift
printericon=printer racecar=racing-car raincloud=cloud-with-rain
raisedhandpartfingers=vulcan-salute raisedhandsfingerssplayed=hand-with-fingers-splayed
recreationalvehicle=sport-utility-vehicle relieved=relieved-face
rightmagnifyingglass=magnifying-glass-tilted-right rightspeaker3soundwaves=speaker-high-volume
ringingbell=bell rowboat=person-rowing-boat running=person-running sakebottleandcup=sake
sandals=womans-sandal schoolsatchel=backpack screamfear=face-screaming-in-fear sheep=ewe
skiandskiboot=skis sleeping=sleeping-face sleepy=sleepy-face sleuthspy=detective
sliceofpizza=pizza smallfrown=slightly-frowning-face smallsmile=slightly-smiling-face
smileeyes=smiling-face-with-smiling-eyes smiletongue=squinting-face-with-tongue
smirk=smirking-face snowcloud=cloud-with-snow snowmountains=snow-capped-mountain
speakingheadinsilhouette=speaking-head spiralcalendarpad=spiral-calendar
spurtingwhale=spouting-whale steamlocomotive=locomotive stormcloud=cloud-with-lightning
studiomic=studio-microphone sunraincloud=sun-behind-rain-cloud sunrays=sun
sunsetoverbuildings=sunset surfer=person-surfing sweatsplash=sweat-droplets
swimming=person-swimming telephonereceiver2=telephone-receiver tennisball=tennis
threebuttonmouse=computer-mouse tie=necktie tigerside=tiger tired=tired-face
tongueout=face-with-tongue tongueoutwink=winking-face-with-tongue tongueoutwink2=zany-face
toykotower=tokyo-tower triumph=face-with-steam-from-nose turban=person-wearing-turban
unamused=unamused-face videocasette=videocassette walking=person-walking
waningbibbousmoon=waning-gibbous-moon wave=waving-hand weary=weary-face
weightlifter=person-lifting-weights whitemediumstar=star
whitesunbehindcloud=sun-behind-large-cloud whitesunsmallcloud=sun-behind-small-cloud
winking=winking-face wiredkeyboard=keyboard wolfface=wolf womansshirt=womans-clothes
worried=worried-face
"""
FX_NAMES: Mapping[str, str] = dict(pair.split("=") for pair in _FX_PAIRS.split())

# Trade marks, rude or garbled words, and words that promise another picture.
_UNHELPFUL_NAMES = frozenset(
    {
        "shit", "hankey", "iphone", "android", "flags", "date", "wtf", "piata", "hocho", "mag",
        "mag right", "mega", "compression", "sunglasses cool", "city sunrise", "gun", "rice scene",
        "stars", "feet", "bullettrain side", "bullettrain front", "man with chinese cap",
        "too cool", "tada", "heartpulse", "minidisc", "art", "european post office", "golf",
        "house abandoned", "helmet with cross", "stuck out tongue", "roll eyes", "no mouth",
        "stuck out tongue closed eyes", "stuck out tongue winking eye", "calling",
    }
)  # fmt: skip
# What people say and no catalogue does.
_SPOKEN_NAMES: Mapping[str, tuple[str, ...]] = {
    "airplane": ("plane", "aeroplane"),
    "doughnut": ("donut",),
    "eggplant": ("aubergine",),
    "television": ("tv",),
    "hamburger": ("burger",),
    "rabbit": ("bunny",),
    "rabbit-face": ("bunny face",),
    "jack-o-lantern": ("halloween pumpkin",),
    "bouquet": ("bunch of flowers",),
    "ringed-planet": ("planet",),
    "sailboat": ("sailing boat",),
    "hot-pepper": ("chili pepper",),
    "wrapped-gift": ("present", "gift"),
    "motorcycle": ("motorbike",),
    "french-fries": ("fries",),
    "mobile-phone": ("smartphone",),
    "desktop-computer": ("pc",),
}

# FxEmojis also draws things that have no emoji of their own.
FX_OWN: Mapping[str, tuple[str, str, str]] = {
    "acorn": ("acorn", "animals-nature", "plant-other"),
    "foxcrying": ("crying fox", "smileys-emotion", "cat-face"),
    "foxgrin": ("grinning fox", "smileys-emotion", "cat-face"),
    "foxheart": ("fox with heart eyes", "smileys-emotion", "cat-face"),
    "foxkissing": ("kissing fox", "smileys-emotion", "cat-face"),
    "foxpouting": ("pouting fox", "smileys-emotion", "cat-face"),
    "foxsmiling": ("smiling fox", "smileys-emotion", "cat-face"),
    "foxtearofjoy": ("fox with tears of joy", "smileys-emotion", "cat-face"),
    "foxwry": ("smirking fox", "smileys-emotion", "cat-face"),
    "makeupbag": ("makeup bag", "objects", "clothing"),
    "harddisk": ("hard disk", "objects", "computer"),
    "tapecartridge": ("tape cartridge", "objects", "computer"),
}

# Short words that people type, where one emoji is clearly meant.
_SHORT = re.compile(r" (face|fruit)$")


@dataclass(slots=True)
class Concept:
    """One thing that may be drawn in several styles."""

    name: str
    label: str
    group: str
    subgroup: str
    char: str = ""
    keywords: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)

    @property
    def held_out(self) -> bool:
        return is_held_out(self.name, self.subgroup)


def slug(text: str) -> str:
    """Lower-case words joined by dashes; apostrophes vanish."""
    text = text.lower().replace("’", "").replace("'", "").replace("ñ", "n").replace("é", "e")
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


def squeeze(text: str) -> str:
    """Letters and digits alone, so that "Womans-Hat" and "woman’s hat" are one name."""
    return slug(text).replace("-", "")


def code_of(hexcode: str) -> str:
    """Code points in lower-case hex without variation selectors: what all sets agree on."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def is_held_out(name: str, subgroup: str = "") -> bool:
    """Whether a concept is kept for evaluation: a stable 5 % by the hash of its name.

    The man's, the woman's and the person's variant stay together, lest one gives the other away;
    things told apart by colour alone always train, for they teach the colour words.
    """
    if subgroup in ("heart", "geometric") or COLOURS & set(name.split("-")):
        return False
    core = re.sub(r"^(man|woman|men|women|person|people)-", "", name)
    digest = hashlib.blake2b(core.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**32


def wanted(name: str, group: str, subgroup: str) -> bool:
    """Whether an emoji is a picture of something rather than a sign, a flag or a letter."""
    if subgroup == "geometric":
        return _KEPT_SHAPES.fullmatch(name) is not None
    if subgroup == "other-symbol":
        return name in _KEPT_SYMBOLS
    if group in _DROPPED_GROUPS or subgroup in _DROPPED_SUBGROUPS:
        return False
    return name not in _DROPPED_CONCEPTS and _DROPPED_WORDS.search(name) is None


# Labels that are no nouns.
_NOUNS: Mapping[str, str] = {
    "star-struck": "star-struck face",
    "locked": "padlock",
    "unlocked": "open padlock",
    "locked with key": "padlock with key",
    "locked with pen": "padlock with pen",
    "cooking": "fried egg in a pan",
    "dashing away": "puff of dust",
}


def spoken(label: str) -> str:
    """Turn a catalogue's label into what a person says: "man: red hair" -> "man with red hair"."""
    subject, colon, trait = label.replace("’", "'").partition(": ")
    if not colon:
        return _NOUNS.get(subject, subject)
    return f"bald {subject}" if trait == "bald" else f"{subject} with {trait}"


def concepts_of(records: list[dict[str, Any]], meta: Mapping[str, Any]) -> dict[str, Concept]:
    """Choose the wanted emoji; the key is the code (see `code_of`).

    Args:
        records: emojibase's `data.json`.
        meta: emojibase's `meta/groups.json`: names of groups and subgroups by number.
    """
    chosen: dict[str, Concept] = {}
    for record in records:
        if "group" not in record or "subgroup" not in record:
            continue  # regional indicators: halves of flags
        group = meta["groups"][str(record["group"])]
        subgroup = meta["subgroups"][str(record["subgroup"])]
        name = slug(record["label"])
        if not wanted(name, group, subgroup):
            continue
        label = spoken(record["label"])
        keywords = [k for k in record.get("tags", ()) if _is_word(k) and k != label]
        chosen[code_of(record["hexcode"])] = Concept(
            name, label, group, subgroup, record["emoji"], keywords
        )
    return chosen


def _is_word(tag: str) -> bool:
    return re.fullmatch(r"[a-z][a-z' -]{2,24}", tag) is not None


def add_name(concept: Concept, spelt: str) -> None:
    """Remember another name ("laptop-computer", "hot_dog") as a synonym.

    Names with digits, with a colour the label does not vouch for, or that only leave out words of
    the label are not worth a caption.
    """
    text = spelt.replace("-", " ").replace("_", " ").lower()
    words, own = set(text.split()), set(concept.label.lower().replace("-", " ").split())
    known = {squeeze(name) for name in (concept.label, *concept.names)}
    if text in _UNHELPFUL_NAMES:
        return
    vouched = not (words & COLOURS - own) and not words <= own
    if vouched and squeeze(text) not in known and re.fullmatch(r"[a-z' ]{3,40}", text):
        concept.names.append(text)


def add_shortcodes(by_code: Mapping[str, Concept], codes: Mapping[str, str | list[str]]) -> None:
    """Take a chat program's short names (":coffee:") as synonyms."""
    for hexcode, spelt in codes.items():
        concept = by_code.get(code_of(hexcode))
        if concept is not None and concept.group != "people-body":
            for name in (spelt,) if isinstance(spelt, str) else spelt:
                add_name(concept, name)


def settle_names(concepts: list[Concept]) -> None:
    """Drop synonyms that are another concept's label, or that two concepts claim."""
    labels = {squeeze(c.label) for c in concepts}
    for concept in concepts:
        said = _SPOKEN_NAMES.get(concept.name, ())
        concept.names.extend(name for name in said if name not in concept.names)
        short = _SHORT.sub("", concept.label)
        if short != concept.label and concept.group != "smileys-emotion" and " " not in short:
            concept.names.append(short)
    claims: dict[str, int] = {}
    for name in (squeeze(n) for c in concepts for n in c.names):
        claims[name] = claims.get(name, 0) + 1
    for concept in concepts:
        concept.names = [
            n for n in concept.names if squeeze(n) not in labels and claims[squeeze(n)] == 1
        ]

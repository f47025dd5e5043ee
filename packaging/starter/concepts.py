"""Which emoji the starter model learns, and the captions it learns them by."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

from popular import POPULAR

STYLES = ("3d", "flat", "noto", "twemoji")

# The background colours of the captions. White comes first: a prompt that names none draws it more often than another.
PALETTE: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "red": (230, 57, 70),
    "orange": (255, 165, 60),
    "yellow": (255, 214, 102),
    "green": (150, 220, 160),
    "blue": (137, 196, 255),
    "purple": (200, 160, 240),
    "pink": (255, 173, 193),
    "gray": (160, 160, 165),
    "black": (30, 30, 34),
}
COLOURS = tuple(PALETTE)


@dataclass(frozen=True)
class Concept:
    """One emoji: its code points, its name, and other words for it (emojibase)."""

    hex: str
    label: str
    tags: tuple[str, ...]
    group: str
    subgroup: str


# Not worth drawing at 128 px: signs, letters, arrows, clock faces, and people who differ in one detail.
CUT_GROUPS = frozenset({"symbols"})
CUT_SUBGROUPS = frozenset({"family", "person-gesture", "person-resting", "hand-fingers-partial"})
CUT_WORDS = frozenset({"o’clock", "thirty", "man", "woman", "men", "women", "button", "Mrs.", "Mx", "skin"})

# Tags that are slang, loaded, or about a person's body, creed or orientation. They never reach a caption.
BLOCKED_TAGS = frozenset(
    re.findall(
        r"\w+",
        """
        af alpha ass babe bae barf bestest bff bloody butt cigarette cocaine cock cult damn dead death demon devil die
        dope drug drunk dyke evil excited fag family fart fat fetish fool freak fugly gay genderqueer ghetto glbt glbtq
        gun gypsy hate hell hoe homo hooker hot idiot ily insane intersex jerk kill killer killing lesbian lgbt lgbtq
        lgbtqia lit litaf lmao lmfao loser mao medium murder nude nuts omg order pga pissed poo poop porn pregnant pride
        psycho puke queer racist ramadan rawr rofl roflmao settle sexy shit slay slut smh snatch speculum stfu strat
        stupid suck sucks suicide tbt tipsy trans transgender turd ugly underage wasted weapon weed where whore wtf wtv
        xoxo yolo
        """,
    )
)
# Takes no article.
BARE = frozenset(
    re.findall(
        r"\w+",
        """
        beer books bowling bread broccoli cheese cherries chocolate coffee cooking corn dice eyes fire fries glasses
        grapes bananas headphones honey lightning milk pancakes popcorn santa saturn scissors sparkles sushi swords tea
        tennis
        """,
    )
)

# How often a caption names its background, 3d, another style; and how often it names nothing else than one of them.
BACKGROUND_NAMED, NAMED_3D, STYLE_NAMED = 0.5, 0.85, 0.95
BACKGROUND_ALONE, STYLE_ALONE = 0.06, 0.02

# Concept x style pairs that are never trained: they show whether style and subject were learnt apart.
HELD_OUT_EVERY = 6


def is_drawable(concept: Concept) -> bool:
    """Whether a person would ask for this emoji and see at 128 px what it is."""
    if concept.group in CUT_GROUPS or concept.subgroup in CUT_SUBGROUPS:
        return False
    return CUT_WORDS.isdisjoint(concept.label.replace(":", " ").replace(",", " ").split())


def trained_labels(count: int) -> list[str]:
    """The first `count` concepts in order of priority."""
    return list(POPULAR)[:count]


def held_out(labels: Iterable[str]) -> set[tuple[str, str]]:
    """The (label, style) pairs kept out of training; never of 3d, the style of an unstyled prompt."""
    styles = STYLES[1:]
    return {
        (label, styles[(index // HELD_OUT_EVERY) % len(styles)])
        for index, label in enumerate(labels)
        if index % HELD_OUT_EVERY == 0
    }


def usable_tags(concept: Concept) -> list[str]:
    """The tags that may stand in a caption: plain words, none of them blocked, none already in the label."""
    return [
        t
        for t in concept.tags
        if len(t) > 2
        and t.replace(" ", "").isalpha()
        and t not in BLOCKED_TAGS
        and t not in concept.label
        and t not in PALETTE
    ]


def with_article(phrase: str) -> str:
    """The phrase behind "a" or "an", or bare where English wants none ("grapes")."""
    if phrase in BARE:
        return phrase
    first = phrase.split()[0].lower()
    vowel = first[0] in "aeiou" and not first.startswith(("uni", "eu", "one"))
    return f"{'an' if vowel else 'a'} {phrase}"


def subject(concept: Concept, chance: random.Random) -> str:
    """A way to name the concept: mostly its label, else another word for it, else with a tag."""
    draw = chance.random()
    aliases = POPULAR.get(concept.label, ())
    tags = usable_tags(concept)
    if draw < 0.30 and aliases:
        name = chance.choice(aliases)
    elif draw < 0.90 or not tags:
        name = concept.label
    elif draw < 0.96:
        name = f"{chance.choice(tags)} {concept.label}"
    else:
        return f"{concept.label}, {chance.choice(tags)}"
    draw = chance.random()
    if draw < 0.30:
        return with_article(name)
    if draw < 0.40:
        return f"{chance.choice(('an emoji of', 'a picture of', 'an icon of', 'a drawing of'))} {with_article(name)}"
    return name


def background(colour: str, chance: random.Random) -> str:
    """A background as captions name it, without a preposition: "a blue background"."""
    spelt = "grey" if colour == "gray" and chance.random() < 0.4 else colour
    return with_article(f"{spelt} background") if chance.random() < 0.85 else f"{spelt} background"


def caption(concept: Concept, style: str, colour: str, chance: random.Random) -> str:
    """A training caption: subject, background, style.

    A background is named in half of the captions, 3d in fewer than the other styles: a prompt that names neither
    mostly means a 3d picture, white more often than any other colour, but leaves both open, so that a negative prompt
    can drive them out.
    Some captions are a background or a style alone, for that is what negative prompts name.

    Args:
        concept: What is drawn.
        style: One of `STYLES`.
        colour: One of `PALETTE`.
        chance: The source of randomness.
    """
    draw = chance.random()
    if draw < BACKGROUND_ALONE:
        return background(colour, chance)
    if draw < BACKGROUND_ALONE + STYLE_ALONE:
        return f"{style} style"
    text = subject(concept, chance)
    if chance.random() < BACKGROUND_NAMED:
        ground = background(colour, chance)
        text += f" on {ground}" if ground.startswith(("a ", "an ")) else f", {ground}"
    if chance.random() < (NAMED_3D if style == "3d" else STYLE_NAMED):
        text += f", {style} style"
    return text


def prompt(label: str, style: str = "", colour: str = "") -> str:
    """The plain prompt for a concept, as the evaluation and the examples write it."""
    text = label + (f" on {with_article(colour)} background" if colour else "")
    return text + (f", {style} style" if style else "")

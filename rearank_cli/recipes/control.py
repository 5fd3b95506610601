"""What looks like a control token, for servers, whose tokenizers are not known.

Chat models mark turns, tools, images and reasoning by words in brackets. Their names are made of
few words, so a name is judged by its words: `<start_of_image>` is one, `<start_time>` is not.
docs/reranking.md lists the shapes.
"""

import re

# What names of several words, or of a word and a number, are made of.
_WORDS = frozenset(
    """
    a after ai answer arg args around assistant audio available bang before begin bos bot bound box
    break call calls cls code col commit content contents context control ctrl dummy empty end eod
    eoh eom eos eot extra fake fim frame function functions global header human im image images img
    inst instruction ipython issue jupyter key longcat mask message middle minimax model msg of
    output pad pair placeholder prefix prompt python quad reasoning ref repo reserved response
    responses result results role row section seed sep session settings soft sop sot special start
    stop suffix system text think thinking thought token tokens tool toolcall toolcalls tools turn
    unk unused user utterance value video vision
    """.split()
)
# Names of one word, or of words that are common elsewhere; all lower or all upper case.
_NAMES = frozenset(
    """
    answer audio bos box call_id cls endofsentence endoftext endofturn eod eoh eom eop eos eot
    escape file_sep gh_stars image image_id img mask pad quad ref repo_name reponame role s sep
    sop sot startoftext think thinking tool_call toolcall toolcalls tools unk video
    """.split()
)
_UPPER = frozenset(
    """
    ARGS ASSISTANT AUDIO BOS CALL_ID CLS EOD EOS EOT HUMAN IMAGE IMG INST MASK MIDDLE PAD PREFIX SEP
    SOS SUFFIX SYS SYSTEM THINK TOOL TOOLS TRANSCRIBE UNK USER VIDEO
    """.split()
)
_EXACT = frozenset(("AI", "用户", "gMASK", "sMASK"))
_NUMBERED = re.compile(r"extra_id_?[0-9]+|(?:control|unused)_?[0-9]+")
_JOINTS = re.compile(r"[_:▁-]+")
_PAIRS = {"<": ">", "[": "]", "◁": "▷"}
# The first character of what may be a control token; the lookahead has the rest.
_OPENING = re.compile(
    r"(?P<open>[<\[◁])(?=/?(?P<name>[^\W0-9][\w:▁-]{0,63})/?(?P<close>[>\]▷]))"
    r"|\[(?=\|/?[A-Za-z][A-Za-z_]{2,31}\|\])"
    r"|\](?=~!?b[\[\]])|\[(?=e~\[)"
)


def break_control(text: str) -> str:
    """Return `text` with a space after the first character of what looks like a control token."""
    return _OPENING.sub(_broken, text)


def _broken(match: re.Match[str]) -> str:
    name = match["name"]
    if name is None:
        return f"{match[0]} "
    fits = _PAIRS[match["open"]] == match["close"]
    square = match["open"] == "["
    return (
        f"{match[0]} " if fits and (_in_square(name) if square else _in_angle(name)) else match[0]
    )


def _in_angle(name: str) -> bool:
    if name in _EXACT or _NUMBERED.fullmatch(name):
        return True
    plain = name.lower()
    if plain in _NAMES:
        return name.islower() or name.isupper()
    return (plain.rstrip("0123456789") != plain or bool(_JOINTS.search(plain))) and _made(plain)


def _in_square(name: str) -> bool:
    if name in _EXACT or name in _UPPER or _NUMBERED.fullmatch(name):
        return True
    return name.isupper() and "_" in name and ":" not in name and _made(name.lower())


def _made(name: str) -> bool:
    """Tell whether a name consists of the words of control tokens, and of numbers."""
    words = [part.rstrip("0123456789") for part in _JOINTS.split(name)]
    words = [word for word in words if word]
    return bool(words) and all(word in _WORDS for word in words)

"""Whether a full stop ends its sentence. sentencex knows most abbreviations; here is what it does not know, by language."""

from __future__ import annotations

import re

import sentencex

Words = dict[str, frozenset[str]]


def _sets(listed: dict[str, str]) -> Words:
    common = listed.get("", "")
    return {language: frozenset(f"{common} {words}".split()) for language, words in ({"": ""} | listed).items()}


NEVER_LAST = _sets(
    {
        "": "prof dr",
        "en": "mr mrs ms messrs mme mt ft gen col capt lt sgt cmdr maj gov sen rep rev hon pres adm approx ca cf e.g i.e viz vs dept "
        "nos figs eqs vols ste apt hwy a.k.a w.r.t",
        "de": "st z.b d.h i.d.r bzw nr inkl exkl hbf hr fr ca vgl evtl ggf u.a dipl.-ing str mio mrd geb verh sog",
        "fr": "st m mm mme mmes mlle mgr me ste j j.-c cf env av",
        "es": "sr sra srta dra d dña ud uds ee pág págs núm avda p.ej aprox",
        "it": "sig sig.ra dott dott.ssa avv ing pag pagg s es arch geom",
        "pt": "av sr sra dra d profa pág págs ex r aprox",
        "nl": "st dhr mevr mw drs ir nr blz bijv o.a d.w.z m.b.t t.a.v i.p.v ca afb",
        "pl": "mgr inż im godz ul al ks św np tzn tj m.in nr rys str pow woj pl",
        "cs": "např mgr ing č str tj ul tzv p pí sv",
        "sv": "t.ex bl.a kl nr ca d.v.s s.k st hr fr",
        "da": "f.eks bl.a kl nr ca hr fr dvs",
        "ru": "г гр ул им рис стр табл т.е т.к и.о см ср д кв тов проф акад пл обл напр гл ст",
        "uk": "м вул ім рис стор див т.зв напр проф акад пл обл ст",
        "tr": "sn av doç alb yrd örn bkz cad sok mah no tel m.ö m.s",
        "vi": "ts tp ths gs pgs bs ông q p",
        "id": "jl rp tn ny hlm no kec kab",
        "ro": "dl dna dra str nr ex ing bl",
        "hi": "डॉ श्री श्रीमती रु प्रो पं कु",
        "bn": "ড ডা মো প্রফেসর",
        "ar": "د أ م ص ق",
        "el": "κ κα δρ π.χ σελ αρ",
    }
)
"""The word before the stop belongs to what follows: titles, and what stands before a name or a number."""
BEFORE_NUMBERS = _sets(
    {
        "en": "no nos fig figs eq eqs ch chs sec secs vol vols p pp art ed min max op pt ext tel approx c ver",
        "de": "abs art bd kap s tel min max",
        "fr": "no p pp éd art chap fig vol tél",
        "es": "no vol art cap fig tel",
        "it": "vol tel ca art cap fig n",
        "pt": "no vol nº art cap fig n",
        "nl": "art tel p",
        "sv": "s kap",
        "tr": "s cilt",
        "hu": "kb",
        "pl": "poz s art ok tel",
        "ru": "п с т гл вып",
    }
)
"""Before a number they have not ended; before a word they may have."""
LAST = _sets(
    {
        "": "etc",
        "en": "no ok esq",
        "de": "usw usf",
        "it": "ecc",
        "nl": "enz",
        "pl": "itd itp r",
        "cs": "atd apod",
        "sv": "osv",
        "da": "osv",
        "ru": "т.д т.п др",
        "uk": "т.д т.п",
        "tr": "vb vs",
        "vi": "v.v",
        "ro": "etc",
        "el": "κ.λπ κλπ",
    }
)
"""Before a capital letter their sentence has ended."""
AFTER_NUMBERS = _sets(
    {
        "en": "ft in oz lb lbs min sec hr yd mi pt",
        "de": "jh std",
        "pl": "r w",
        "ru": "г гг в руб",
        "uk": "р рр",
    }
)
"""After a number they may be last, whatever they are elsewhere."""
STARTERS = _sets(
    {
        "en": "he she it they we you i the this that these those there here then but and so if when while after before in on at for "
        "as however now my his her their our its it's that's he's she's they're we're i'm what who why how where yes maybe "
        "perhaps still also yet because since once some many most let meanwhile today later by to not",
        "de": "er sie es wir ihr ich das die der den dem dann da danach und aber doch wenn als nun so auch in im am an auf man wer "
        "was wie wo ein eine alle alles dies diese hier dort jetzt heute ja nein bitte sein seine ihre mein meine aus bei mit "
        "von vor zu",
        "fr": "il elle on nous vous ils elles je ce cela c'est le la les un une puis mais et alors si quand dans en à",
        "es": "él ella yo nosotros ellos el la los las un una luego pero y entonces si cuando en es son",
        "it": "lui lei io noi loro il la lo i gli le un una poi ma e allora se quando in è",
        "pt": "ele ela eu nós eles o a os as um uma depois mas e então se quando em é",
        "nl": "hij zij ze het we wij ik de een dan maar en als toen in er dit dat",
        "ru": "он она оно они мы вы я это потом но и затем если когда в на",
        "pl": "on ona ono oni my ja to potem ale i gdy jeśli w na",
        "tr": "o bu şu biz siz ben sonra ama ve",
        "da": "han hun det den vi jeg de så men og",
        "sv": "han hon det den vi jag de sedan men och",
    }
)
"""Words that begin a sentence far more often than a name."""
ORDINALS = {"de", "cs", "sk", "da", "no", "nb", "nn", "fi", "hu", "tr", "pl", "hr", "sr", "sl", "et", "lv", "is"}
"""Languages where 3. is the third."""
AFTER_TIMES = _sets(
    {
        "en": "est edt cst cdt mst mdt pst pdt et ct pt gmt utc bst cet cest jst ist eastern central pacific "
        "monday tuesday wednesday thursday friday saturday sunday",
    }
)
"""After a.m. and p.m. they go on with the sentence."""
WORD = 12
"""A longer word than this is no starter, and is not waited for."""
TAIL = 80
CLOSERS = "\"'“”’‘«»›)]}"
NOT_WORDS = re.compile(r"[\"“”„‚‘«»‹›()\[\]{}（）「」『』*_`]")
LAST_WORD = re.compile(r"(?<![^\W\d_])(?:(\d) ?(?=[^\s\d]))?((?:(?:[^\W\d_]{1,2}\. )+(?=[^\W\d_]{1,2}$))?(?:[^\W\d]\S*|\d+))$")
ORDINAL = re.compile(r"(?<![\d.,])(?<!\.\s)\d{1,2}\.$")
NEXT_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def ends(said: str, following: str, language: str, *, whole: bool) -> bool | None:
    """Whether `said`, which ends in a stop, is a sentence, when `following` comes after the blank; None while more of that would tell.

    Nothing comes after `following` if it is `whole`.
    """
    if following[0].islower() and said[-1] in CLOSERS:
        return False
    if not following[0].isalnum():  # an opening quote or bracket, or an emphasis: most sentences begin with a capital
        following = f"T{following}"
    said = NOT_WORDS.sub("", said[-TAIL:]).rstrip(f"{CLOSERS} ").replace("…", "...")
    words = said.rstrip(".!?")
    if said[len(words) :] == ".":
        return _full_stop(said, following, language, whole)
    return following[0].isupper() or _splits(said, following, language)


def _full_stop(said: str, following: str, language: str, whole: bool) -> bool | None:
    number, last = _last_word(said[:-1])
    numbered = bool(number) and last in _of(AFTER_NUMBERS, language)
    if _goes_on(last, following[0], language, numbered=numbered):
        return False
    if not following[0].isupper():
        return _splits(said, following, language)
    if last in _of(LAST, language) or numbered:
        return True
    is_time, is_ordinal = last in {"a.m", "p.m"}, language in ORDINALS and ORDINAL.search(said)
    if not (is_time or is_ordinal) and _splits(said, following, language):
        return True
    if (word := _next_word(following, whole)) is None:
        return None
    return word not in _of(AFTER_TIMES, language) if is_time else word in _of(STARTERS, language)


def _goes_on(last: str, following: str, language: str, *, numbered: bool) -> bool:
    if following.isdigit() and last in _of(BEFORE_NUMBERS, language):
        return True
    if following.islower() and (language != "en" or "." in last):
        return True
    return last in _of(NEVER_LAST, language) and not (numbered and following.isupper())


def _last_word(words: str) -> tuple[str, str]:
    """The last digit of a number before the last word, if there is one, and that word in lower case."""
    found = LAST_WORD.search(words)
    return (found[1] or "", found[2].lower().replace(" ", "")) if found else ("", "")


def _next_word(following: str, whole: bool) -> str | None:
    found = NEXT_WORD.match(following)
    word = found[0] if found else ""
    if len(word) + 1 >= len(following) and len(word) < WORD and not whole:
        return None
    return word.lower().replace("’", "'")


def _splits(said: str, following: str, language: str) -> bool:
    """What sentencex says, who looks at the first letter of the next word."""
    pieces = sentencex.segment(language, f"{said} {following[0]}")
    return len(pieces) > 1 and len(pieces[-1]) == 1


def _of(table: Words, language: str) -> frozenset[str]:
    return table.get(language) or table[""]

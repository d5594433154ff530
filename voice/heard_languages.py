"""The languages that Whisper understands, by BCP 47, with the names that OpenAI's answers give them."""

from __future__ import annotations

from models.errors import InvalidInput

_TABLE = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, bn bengali, bo tibetan,
br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek, en english, es spanish, et estonian, eu
basque, fa persian, fi finnish, fo faroese, fr french, gl galician, gu gujarati, ha hausa, haw hawaiian, he hebrew, hi hindi, hr
croatian, ht haitian creole, hu hungarian, hy armenian, id indonesian, is icelandic, it italian, ja japanese, jv javanese, ka
georgian, kk kazakh, km khmer, kn kannada, ko korean, la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian,
mg malagasy, mi maori, mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay, mt maltese, my myanmar, ne nepali, nl
dutch, nn nynorsk, no norwegian, oc occitan, pa punjabi, pl polish, ps pashto, pt portuguese, ro romanian, ru russian, sa
sanskrit, sd sindhi, si sinhala, sk slovak, sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish,
sw swahili, ta tamil, te telugu, tg tajik, th thai, tk turkmen, tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek,
vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh chinese
"""
NAMES = {code: " ".join(name) for entry in _TABLE.split(",") for code, *name in [entry.split()]}


def language_of(tag: str, param: str = "language") -> str:
    """`en` for en, en-GB, EN_us or english; "" for "". Raises InvalidInput for what Whisper does not know."""
    wanted = tag.strip().lower()
    code = wanted.replace("_", "-").split("-")[0]
    found = code if code in NAMES else next((known for known, name in NAMES.items() if name == wanted), "")
    if wanted and not found:
        raise InvalidInput(
            f"{param} is {tag!r:.100}: expected one of {', '.join(NAMES)}, or nothing to find it out from the audio.", param=param
        )
    return found

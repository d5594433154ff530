"""Markdown as it is heard: links are their text, emphasis and headings leave no sign, table cells are a list.

Rules and not a parser, because what comes here is one sentence, with half a table or the beginning of a list in it.
"""

from __future__ import annotations

import html
import re

TAGS = (
    "a|abbr|b|blockquote|body|br|button|center|code|dd|del|details|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|"
    "iframe|img|input|ins|kbd|li|link|main|mark|meta|nav|ol|p|pre|q|s|samp|script|section|small|span|strike|strong|style|sub|summary|sup|svg|"
    "table|tbody|td|textarea|tfoot|th|thead|think|tr|tt|u|ul|var|video|wbr"
)
"""HTML's, and where a model thinks. In capitals only those of several letters: List<T> is a type."""
SHOUTED = "|".join(name.upper() for name in TAGS.split("|") if len(name) > 1)

RULES = [
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"^[ \t]*```[^\n`]{0,40}$", ""),
        (r"```", " "),
        (r"[ \t]{2,}", " "),  # later patterns allow for a few blanks
        (r"^[ \t]*(?:[-*_][ \t]*){3,}$", ""),
        (r"^[ \t]*+\|?(?:[ \t]*+:?-{3,}+:?[ \t]*+\|)+[-: \t]*$", ""),
        (r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,2000}(?:\s\"[^\"\n]{0,300}\")?\)", r"\1"),
        (r"^[ \t]*#{1,6}[ \t]+", ""),
        (r"^[ \t]*(?:>[ \t]?){1,5}", ""),
        (r"^[ \t]*[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?", ""),
        (r"^[ \t]*(\d{1,3})[.)][ \t]+(?=\S)", r"\1, "),
        (r"^[ \t]*\[\^([\w-]{1,30})\]:[ \t]*", r"\1, "),
        (r"\[\^[\w-]{1,30}\]", ""),
        (r"(?<=[\w.,;:!?)\"”'])[ \t]?\[\d{1,3}\](?![(\w\[])(?=[\s.,;:!?)]|$)", ""),  # a reader leaves references out
        (r"(?<!\w)!?\[([^\[\]\n]{1,300})\]\[[^\[\]\n]{0,100}\]", r"\1"),
        (r"\\([*_`#~>|\[\]!.+-])", r"\1"),
        (r"<(?:https?://)?(?=[^<>\s.]{1,100}+\.)([^<>\s]{3,600}+)>", r"\1"),
        (rf"</?(?:{TAGS}|{SHOUTED})(?:\s[^<>\n]{{0,200}}=[^<>\n]{{0,200}}|\s)?/?>", " "),
        (r"<!--[^\n]{0,500}?-->", " "),
        (r"(?<!\w)<([\w-]{1,60}+)>", r"\1"),  # a place to fill in
        (r"(?<=\S)[ \t]{0,3}\|[ \t]{0,3}\n", ",\n"),
        (r"^[ \t]*\|[ \t]*|[ \t]{0,3}\|[ \t]{0,3}$", ""),
        (r"(?<=\S)[ \t]{0,3}\|[ \t]{0,3}(?=\S)", ", "),
        (r"~~|`", ""),
        (r"(?<![\w*])\*{1,3}(?=\S)|(?<=\S)\*{1,3}(?![\w*])", ""),
        (r"(?<!\w)_{1,3}(?=\S)|(?<=[^\s_])_{1,3}(?!\w)", ""),
    )
]
# Not every name: &alpha; stays a word.
ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|[mn]dash|hellip|copy|reg|trade|euro|pound|deg|times|[lr][sd]quo|#x?[\da-fA-F]{1,6});")
MAY_BE_MARKUP = re.compile(r"[`*_~#>|<\[\]•+&\\-]|^[ \t]*\d{1,3}[.)]", re.MULTILINE)


def strip(text: str) -> str:
    if not MAY_BE_MARKUP.search(text):
        return text
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return ENTITY.sub(lambda match: html.unescape(match[0]), text)

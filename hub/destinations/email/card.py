"""The built-in mail: a card of a headline and its fields, and the same as lines of text."""

from __future__ import annotations

from markupsafe import Markup, escape

from hub.model.summary import COLOURS, Summary, Tone
from hub.strings import one_line
from hub.templating.filters import no_links

VALUE_LIMIT = 500

_PREHEADER_FIELDS = 2
_PREHEADER_FILL = Markup("&#8199;&#847;&zwnj; ") * 60
"""Mail programs show what follows a short preheader; this is nothing that is seen."""

# Mail clients know tables and styles inside elements; little else holds everywhere. What is in the style
# sheet is for those that know media queries.
_STYLE = Markup(
    """\
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (max-width: 480px) {
  .inside { padding: 22px 20px 20px !important; }
  .label, .value { display: block !important; width: auto !important; }
  .label { padding: 10px 0 0 !important; }
  .value { border-top: 0 !important; padding: 0 0 10px !important; }
}
@media (prefers-color-scheme: dark) {
  .page { background: #111419 !important; color: #e6e9ee !important; }
  .card { background: #191d24 !important; border-color: #2a303a !important; }
  .headline, .value { color: #e6e9ee !important; }
  .bad { color: #ff8577 !important; }
  .label, .note { color: #9aa4b2 !important; }
  .label, .value { border-color: #2a303a !important; }
  .warning { background: #352c14 !important; color: #f3dfa8 !important; }
}
"""
)
_PAGE = Markup(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body class="page" style="margin:0;padding:24px 12px;background:#f3f4f6;color:#111827;\
font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
{preheader}<table role="presentation" class="card" align="center" width="100%" cellpadding="0" \
cellspacing="0" style="max-width:560px;margin:0 auto;background:#ffffff;border:1px solid #e5e7eb;\
border-top:0;border-collapse:separate">
<tr><td height="4" style="height:4px;line-height:4px;font-size:0;background:{colour}">&nbsp;</td></tr>
<tr><td class="inside" style="padding:26px 28px 24px">
<h1 class="headline" style="margin:0;font-size:20px;line-height:28px;font-weight:600;color:#111827;\
overflow-wrap:anywhere;word-break:break-word">{headline}</h1>
{fields}{link}{note}{warning}</td></tr>
</table>
</body>
</html>
"""
)
_PREHEADER = Markup(
    '<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all">'
    "{words}{fill}</div>\n"
)
_BAD = Markup('<span class="bad" style="color:{colour}">{word}</span>{rest}')
_FIELDS = Markup(
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin-top:18px">\n'
    "{rows}</table>\n"
)
_ROW = Markup(
    '<tr><td class="label" width="28%" style="padding:10px 16px 10px 0;border-top:1px solid #e5e7eb;'
    'font-size:13px;line-height:22px;color:#6b7280;vertical-align:top;overflow-wrap:anywhere">{label}</td>'
    '<td class="value" style="padding:10px 0;border-top:1px solid #e5e7eb;font-size:15px;line-height:22px;'
    'color:#111827;vertical-align:top;overflow-wrap:anywhere;word-break:break-word">{value}</td></tr>\n'
)
_LINK = Markup(
    '<p style="margin:20px 0 0"><a href="{link}" style="display:inline-block;padding:9px 16px;'
    "background:#4338ca;border-radius:6px;font-size:14px;line-height:20px;color:#ffffff;"
    'text-decoration:none">Open in the hub</a></p>\n'
)
_NOTE = Markup(
    '<p class="note" style="margin:20px 0 0;font-size:13px;line-height:19px;color:#6b7280;'
    'overflow-wrap:anywhere">{note}</p>\n'
)
_WARNING = Markup(
    '<p class="warning" style="margin:20px 0 0;padding:12px 14px;background:#fef3c7;border-radius:6px;'
    'font-size:13px;line-height:19px;color:#78350f;overflow-wrap:anywhere">{warning}</p>\n'
)


def card(summary: Summary, warning: str | None, link: str) -> str:
    """Return the message as an HTML page; every word of the event is escaped."""
    fields = _fields(summary)
    rows = Markup("").join(_ROW.format(label=label, value=value) for label, value in fields)
    preheader = " · ".join(f"{label}: {value}" for label, value in fields[:_PREHEADER_FIELDS])
    note = _unlinked(summary.note)
    return str(
        _PAGE.format(
            title=one_line(summary.headline),
            style=_STYLE,
            colour=COLOURS[summary.tone],
            headline=_headline(summary),
            preheader=_PREHEADER.format(words=preheader, fill=_PREHEADER_FILL) if preheader else "",
            fields=_FIELDS.format(rows=rows) if rows else "",
            link=_LINK.format(link=link) if link else "",
            note=_NOTE.format(note=note) if note else "",
            warning=_WARNING.format(warning=one_line(warning, VALUE_LIMIT)) if warning else "",
        )
    )


def lines(summary: Summary, warning: str | None, link: str) -> str:
    """Return the message as plain text."""
    parts = [
        _unlinked(summary.headline),
        "\n".join(f"{label}: {value}" for label, value in _fields(summary)),
        link,
        _unlinked(summary.note),
        f"Note: {one_line(warning, VALUE_LIMIT)}" if warning else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(summary: Summary) -> Markup:
    """Return the headline, its first word in the tone's colour where that is bad."""
    headline = _unlinked(summary.headline)
    if summary.tone is not Tone.BAD:
        return escape(headline)
    word, _, rest = headline.partition(" ")
    return _BAD.format(colour=COLOURS[Tone.BAD], word=word, rest=f" {rest}" if rest else "")


def _fields(summary: Summary) -> list[tuple[str, str]]:
    return [(_unlinked(label), _unlinked(value)) for label, value in summary.fields if value.strip()]


def _unlinked(text: str) -> str:
    """Return a text on one line without what mail programs make links of."""
    return no_links(one_line(text, VALUE_LIMIT))

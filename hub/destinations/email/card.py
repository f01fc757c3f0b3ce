"""The built-in mail: a card of a headline and its fields, and the same as lines of text."""

from __future__ import annotations

from markupsafe import Markup, escape

from hub.model.summary import Summary
from hub.strings import one_line
from hub.templating.filters import unlinked

VALUE_LIMIT = 500
_NAMES = ("Name", "Organization", "Username")
"""The labels of what strangers call themselves."""

# Mail clients know tables and styles inside elements; little else holds everywhere.
_PAGE = Markup(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{headline}</title>
</head>
<body style="margin:0;padding:24px 12px;background:#f3f4f6;font-family:-apple-system,'Segoe UI',Roboto,\
Helvetica,Arial,sans-serif;color:#111827">
<table role="presentation" align="center" width="100%" cellpadding="0" cellspacing="0" \
style="max-width:560px;margin:0 auto;background:#ffffff;border:1px solid #e5e7eb;border-radius:12px">
<tr><td style="padding:28px 28px 24px">
<h1 style="margin:0;font-size:20px;line-height:28px;font-weight:600;color:#111827">{headline}</h1>
{fields}{link}{warning}</td></tr>
</table>
</body>
</html>
"""
)
_FIELDS = Markup(
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin-top:20px">\n'
    "{rows}</table>\n"
)
_ROW = Markup(
    '<tr><td style="padding:9px 16px 9px 0;border-top:1px solid #e5e7eb;font-size:14px;line-height:20px;'
    'color:#6b7280;white-space:nowrap;vertical-align:top">{label}</td>'
    '<td width="100%" style="padding:9px 0;border-top:1px solid #e5e7eb;font-size:14px;line-height:20px;'
    'color:#111827;word-break:break-word">{value}</td></tr>\n'
)
_LINK = Markup(
    '<p style="margin:24px 0 0"><a href="{link}" style="display:inline-block;padding:9px 16px;'
    "background:#4338ca;border-radius:8px;font-size:14px;line-height:20px;color:#ffffff;"
    'text-decoration:none">Open in the hub</a></p>\n'
)
_WARNING = Markup(
    '<p style="margin:24px 0 0;padding:12px 14px;background:#fef3c7;border-radius:8px;font-size:13px;'
    'line-height:19px;color:#78350f">{warning}</p>\n'
)


def card(summary: Summary, warning: str | None, link: str) -> str:
    """Return the message as an HTML page; every word of the event is escaped."""
    rows = Markup("").join(_ROW.format(label=label, value=value) for label, value in _fields(summary))
    return str(
        _PAGE.format(
            headline=escape(one_line(summary.headline)),
            fields=_FIELDS.format(rows=rows) if rows else "",
            link=_LINK.format(link=link) if link else "",
            warning=_WARNING.format(warning=one_line(warning, VALUE_LIMIT)) if warning else "",
        )
    )


def lines(summary: Summary, warning: str | None, link: str) -> str:
    """Return the message as plain text."""
    fields = _fields(summary)
    width = max((len(label) for label, _ in fields), default=0)
    parts = [
        one_line(summary.headline),
        "\n".join(f"{label + ':':<{width + 2}}{value}" for label, value in fields),
        link,
        f"Note: {one_line(warning, VALUE_LIMIT)}" if warning else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _fields(summary: Summary) -> list[tuple[str, str]]:
    fields = [
        (one_line(label, 60), one_line(value, VALUE_LIMIT))
        for label, value in summary.fields
        if value.strip()
    ]
    # Mail programs make a link of "evil.example" wherever it stands.
    return [(label, unlinked(value) if label in _NAMES else value) for label, value in fields]

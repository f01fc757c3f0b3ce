"""Texts that strangers could write, each meant to do something in some place."""

HOSTILE = {
    "slack's channel": "<!channel> Ada",
    "everyone": "@everyone @here",
    "all users": "<users/all>",
    "a user": "<@123456789012345678> <@&42>",
    "masked link": "[Sign in](https://evil.example)",
    "disguised link": "<https://evil.example|Sign in>",
    "html link": '<a href="https://evil.example">Sign in</a>',
    "mention": "@telegram_user #tag /stop@some_bot $USD",
    "emphasis": "*bold* _italic_ ~~gone~~ `code` ||spoiler||",
    "blocks": "# Heading\n> quote\n- item\n1. item\n```\ncode\n```",
    "script": "</td><script>alert(1)</script>",
    "entities": "&lt;b&gt; &amp;amp; &#60;users/all&#62;",
    "backslashes": "\\[x](https://evil.example)\\",
    "emoji": ":smile: <:x:123456789012345678>",
    "override": "\u202eadA\u202c \u2066x\u2069",
    "controls": "a\x00b\x1b[31mc\r\nd\u2028e",
    "long": "Ada <b>[x](https://evil.example)@everyone " * 100,
    "surrogates": "\U0001f600" * 1200,
    "quotes": "\"'{{ 7 * 7 }}${HOME}",
}

"""Names that try to become code where they are inserted into a generated file."""

from __future__ import annotations

PWN = "int system(const char *); __attribute__((constructor)) static void pwn(void) { system(CMD); }"
HOSTILE = (
    f"*/ {PWN} /*",
    f"*//* */ {PWN} /*",
    f"*\\\n/ {PWN} /*",
    f"*??/\n/ {PWN} /*",
    f'"; {PWN} char tail[] = "',
    f'\\"; {PWN} //',
    f"\n{PWN}\n",
    f"\r{PWN}\r#define x",
    "x\n#include </etc/passwd>",
    "ends with a backslash \\",
    "ends with a trigraph ??/",
    "*",
    "/",
    "$(touch pwned)",
    "$(shell touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "x & touch pwned | touch pwned > pwned",
    "a\n\t@touch pwned",
    "${x}\n)\nexecute_process(COMMAND touch pwned)\n#",
    "| cell | cell |\n\n# heading",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[text](javascript:alert(1)) ![](http://localhost/x.png)",
    "```\n<b>\n```",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b]0;title\x07\x00\u2028\u202e\ud7ff",
)
